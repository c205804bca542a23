#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# mail_dmarc.pl: Mail::DMARC, a request a line of JSON: {"zone": {NAME: [TEXT]}, "fail": [NAME], "author", "spf", "dkim": []};
# the answer a line of JSON: [RESULT, DISPOSITION, SPF, DKIM, REASON]. SPF and DKIM name domains that passed. Every domain exists.
use strict;
use warnings;
use JSON::PP;
use Net::DNS;
use Mail::DMARC::PurePerl;

my $zone = {};
my %fail;

package Resolver;
sub new { return bless {}, shift; }
sub query { my ($self, $name, $type) = @_; return $self->send($name, $type); }
sub send {
    my ($self, $name, $type) = @_;
    $name = lc $name;
    return undef if $fail{$name};
    my $packet = Net::DNS::Packet->new('example.com', $type);
    if ($type eq 'MX') {
        $packet->push(answer => Net::DNS::RR->new("example.com. 60 IN MX 10 mail.example.com."));
    }
    for my $row ($type eq 'TXT' ? @{ $zone->{$name} || [] } : ()) {
        $packet->push(answer => Net::DNS::RR->new(name => 'example.com', type => 'TXT', txtdata => [ unpack '(a255)*', $row ]));
    }
    return $packet;
}

package main;
my $json = JSON::PP->new->ascii;
$| = 1;
$SIG{__WARN__} = sub { };
while (my $line = <STDIN>) {
    my $asked = $json->decode($line);
    if ($asked->{zone}) {
        $zone = $asked->{zone};
        %fail = map { $_ => 1 } @{ $asked->{fail} };
    }
    my @answer;
    eval {
        my $dmarc = Mail::DMARC::PurePerl->new;
        $dmarc->set_resolver(Resolver->new);
        $dmarc->header_from($asked->{author});
        $dmarc->spf([ { domain => $asked->{spf} || $asked->{author}, scope => 'mfrom', result => $asked->{spf} ? 'pass' : 'fail' } ]);
        $dmarc->dkim([ map { { domain => $_, selector => 's', result => 'pass' } } @{ $asked->{dkim} } ]);
        my $result = $dmarc->validate;
        my @reasons = $result->reason ? @{ $result->reason } : ();
        @answer = ($result->result, $result->disposition || '-', $result->spf || 'fail', $result->dkim || 'fail',
            join ' ', map { $_->type . ' ' . ($_->comment || '') } @reasons);
        1;
    } or @answer = ('died', '-', '-', '-', "$@");
    print $json->encode(\@answer), "\n";
}
