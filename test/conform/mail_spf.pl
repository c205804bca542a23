#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# mail_spf.pl: Mail::SPF, a request a line of JSON: {"zone": {NAME: {TYPE: [DATA]}}, "ip", "helo", "sender", "receiver"}; the
# answer a line of JSON: [RESULT, EXPLANATION, REASON]. A zone that is missing is that of the request before.
use strict;
use warnings;
use JSON::PP;
use Mail::SPF;
use Net::DNS;

my $zone = {};

package Resolver;
sub new { return bless { error => '' }, shift; }
sub errorstring { return $_[0]->{error}; }
sub send {
    my ($self, $name, $type) = @_;
    $name = lc "$name";
    $name =~ s/\.$//;
    my $node = $zone->{$name} || {};
    $self->{error} = '';
    if (grep { $_ eq $type } @{ $node->{fail} || [] }) {
        $self->{error} = 'query timed out';
        return undef;
    }
    my $packet = Net::DNS::Packet->new('example.com', $type);
    $packet->header->rcode($zone->{$name} ? 'NOERROR' : 'NXDOMAIN');
    for my $row (@{ $node->{$type} || [] }) {
        my %data = $type =~ /^A/ ? (address => $row) : $type eq 'MX' ? (preference => $row->[0], exchange => $row->[1])
          : $type eq 'PTR' ? (ptrdname => $row) : (txtdata => [ unpack '(a255)*', $row ]);
        $data{txtdata} = [''] if $type eq 'TXT' && $row eq '';
        $packet->push(answer => Net::DNS::RR->new(name => 'example.com', type => $type, %data));
    }
    return $packet;
}

package main;
my $json = JSON::PP->new->ascii;
$| = 1;
$SIG{__WARN__} = sub { };
while (my $line = <STDIN>) {
    my $asked = $json->decode($line);
    $zone = $asked->{zone} if $asked->{zone};
    my @answer;
    eval {
        my $server = Mail::SPF::Server->new(dns_resolver => Resolver->new, hostname => $asked->{receiver},
            default_authority_explanation => '');
        my %of_whom = $asked->{sender} eq '' ? (scope => 'helo', identity => $asked->{helo})
          : (scope => 'mfrom', identity => $asked->{sender}, helo_identity => $asked->{helo});
        my $result = $server->process(Mail::SPF::Request->new(versions => [1], ip_address => $asked->{ip}, %of_whom));
        @answer = ($result->code, $result->code eq 'fail' ? '' . $result->authority_explanation : '', '' . $result->text);
        1;
    } or @answer = ('died', '', "$@");
    print $json->encode(\@answer), "\n";
}
