#!/bin/sh
# Runs every model with the proverif that is in PATH (or PROVERIF), at most
# LIMIT seconds each, and prints its results. Controls must find an attack.
cd "$(dirname "$0")" || exit 1
run() { # model, lock, kept, libraries
	name=$1 lock=$2 kept=$3
	shift 3
	echo "== $name, lock-$lock, kept-$kept"
	timeout "${LIMIT:-120}" "${PROVERIF:-proverif}" -lib sne.pvl -lib "lock-$lock.pvl" -lib "kept-$kept.pvl" "$@" "$name.pv" |
		grep '^RESULT' || echo "no result"
}
for m in handshake handshake-kem-leaked handshake-signing-leaked handshake-both-leaked; do
	run "$m" salted next -lib handshake.pvl -lib handshake-queries.pvl
done
for m in exchange exchange-signing-leaked heal; do
	run "$m" salted next -lib exchange.pvl -lib exchange-queries.pvl
done
for m in heal-active unpaid paid; do
	run "$m" salted next -lib exchange.pvl
done
run exchange saltless next -lib exchange.pvl -lib exchange-queries.pvl
run exchange salted x -lib exchange.pvl -lib exchange-queries.pvl
