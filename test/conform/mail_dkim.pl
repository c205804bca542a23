#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# mail_dkim.pl RECORD-FILE: signs and verifies by Mail::DKIM, with the requests and answers of signature_driver.c ("dkim",
# and "sign" without identity and expiry). The time is the one that the request names.
use strict;
use warnings;
my $now;
BEGIN { $now = 0; *CORE::GLOBAL::time = sub { return $now || CORE::time() }; }
use Mail::DKIM::Verifier;
use Mail::DKIM::Signature;
use Mail::DKIM::Signer;
use Mail::DKIM::PrivateKey;
use Mail::DKIM::DNS;
use Net::DNS;

my %zone;
open(my $records, '<:raw', $ARGV[0]) or die "$ARGV[0]: $!";
while (my $line = <$records>) {
    chomp $line;
    my ($name, $record) = split / /, $line, 2;
    push @{ $zone{ lc $name } }, $record;
}
close $records;

package Record;
sub new { my ($class, $text) = @_; return bless { text => $text }, $class; }
sub type    { return 'TXT'; }
sub txtdata { my ($self) = @_; return ($self->{text}); }

package main;
no warnings 'redefine';
*Mail::DKIM::DNS::query = sub {
    my ($name) = @_;
    my @rows = map { Record->new($_) } @{ $zone{ lc $name } || [] };
    $@ = 'NXDOMAIN' if !@rows;
    return @rows;
};

sub verify {
    my ($message) = @_;
    my $verifier = Mail::DKIM::Verifier->new;
    my $answer = '';
    eval {
        $verifier->PRINT($message);
        $verifier->CLOSE;
        1;
    } or return '';
    for my $signature ($verifier->signatures) {
        my $result = $signature->result // 'none';
        my $selector = $signature->selector // '-';
        my $detail = $signature->result_detail // '';
        ($selector, $detail) = map { tr/\x21-\x7e/?/cr } ($selector, $detail);
        $answer .= "$result $selector $detail\n";
    }
    return $answer;
}

sub sign {
    my ($message, $file, $domain, $selector, $form, $names) = @_;
    my %canon = (s => 'simple', r => 'relaxed');
    my %words = (
        Algorithm => 'rsa-sha256',
        Method    => join('/', map { $canon{$_} } split //, $form),
        Domain    => $domain,
        Selector  => $selector,
        Headers   => $names,
        Timestamp => $now,
        Key       => Mail::DKIM::PrivateKey->load(File => $file),
    );
    # A policy of our own, for else the library adds names that it likes to h=.
    my $signer = Mail::DKIM::Signer->new(Policy => sub { $_[0]->add_signature(Mail::DKIM::Signature->new(%words)); return; });
    $signer->PRINT($message);
    $signer->CLOSE;
    return $signer->signature->as_string . "\r\n";
}

# It warns of a signature without a value, which it refuses rightly.
$SIG{__WARN__} = sub { };
binmode STDIN;
binmode STDOUT;
$| = 1;
while (my $line = <STDIN>) {
    my ($verb, $time, $length, @words) = split ' ', $line;
    read(STDIN, my $message, $length) == $length or die 'a message';
    $now = $time;
    my $answer = $verb eq 'sign' ? sign($message, @words) : verify($message);
    print length($answer), "\n", $answer;
}
