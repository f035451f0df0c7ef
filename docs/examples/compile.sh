#!/usr/bin/env bash
# Compiles a C program in a lease, runs it there and fetches it: compile.sh LEASE
set -euo pipefail
lease=lease-$1

ssh "$lease" 'mkdir -p primes && cat >primes/primes.c' <<'C'
#include <stdio.h>
#include <stdlib.h>

/* Counts the primes up to a number with Eratosthenes' sieve. */
int main(int count, char **arguments)
{
    long last = count > 1 ? atol(arguments[1]) : 0, found = 0;
    char *composite = calloc(last + 1, 1);
    for (long i = 2; composite && i <= last; i++) {
        if (!composite[i]) {
            found++;
            for (long j = i * i; j <= last; j += i) composite[j] = 1;
        }
    }
    printf("%ld primes up to %ld\n", found, last);
    return !composite;
}
C
ssh "$lease" 'cd primes && gcc -O2 -static -Wall -o primes primes.c && ./primes 10000000'
scp -q "$lease:primes/primes" primes
echo "and here: $(./primes 1000)"
