// Child uses keys and then looks for them in its own memory.
//
// It reads the secrets from standard input, each byte XORed with the mask, and
// never holds one in clear but where a program of ours would. It prints one
// line of JSON: for each secret how often half of it was found.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"sonahub/sne/composite"
	"sonahub/sne/internal/secretmem"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
	"sonahub/sne/keychain"
	"sonahub/sne/segment"
)

const mask = 0xa5

// Job is what the parent wants done.
type job struct {
	Dir      string            // a folder to work in
	Inputs   map[string][]byte // masked secrets
	Patterns map[string][]byte // masked: what to look for
	CT       []byte            // for the KEM key
	Object   []byte            // a segment
	Keep     bool              // leave one secret alive, so that the search is known to work
}

type result struct {
	Erases bool
	Found  map[string]int
	Where  map[string]string
	Bytes  int
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var j job
	if err := json.NewDecoder(in).Decode(&j); err != nil {
		return err
	}
	var kept *kdf.Secret
	err := work(&j)
	if err == nil && j.Keep {
		kept = new(kdf.Secret)
		unmask(kept[:], j.Inputs["root"])
	}
	if err != nil {
		return err
	}
	for range 4 { // what was allocated inside secretmem.Do goes when it is swept
		runtime.GC()
	}
	s := search{patterns: j.Patterns, result: result{Erases: secretmem.Erases, Found: map[string]int{}, Where: map[string]string{}}}
	if err := s.run(); err != nil {
		return err
	}
	runtime.KeepAlive(kept)
	return json.NewEncoder(out).Encode(s.result)
}

func unmask(dst, masked []byte) {
	secretmem.Do(func() {
		for i := range dst {
			dst[i] = masked[i] ^ mask
		}
	})
}

// work uses every kind of key, as the protocol does, and erases all.
func work(j *job) error {
	return errors.Join(derive(j), encapsulated(j), signed(j), opened(j), stored(j))
}

func derive(j *job) error {
	root, next, message := new(kdf.Secret), new(kdf.Secret), new(kdf.Secret)
	defer root.Erase()
	defer next.Erase()
	defer message.Erase()
	unmask(root[:], j.Inputs["root"])
	if err := kdf.Expand(next, root, "next", nil); err != nil {
		return err
	}
	if err := kdf.Extract(message, next, root); err != nil {
		return err
	}
	sealed, err := kdf.Seal(nil, message, nil, []byte("nothing"))
	if err != nil {
		return err
	}
	_, err = kdf.Open(nil, message, nil, sealed)
	return err
}

func encapsulated(j *job) error {
	seed, ss := new(kdf.Secret), new(kdf.Secret)
	defer seed.Erase()
	defer ss.Erase()
	unmask(seed[:], j.Inputs["kem"])
	key, err := kem.NewSecretKey(seed[:])
	if err != nil {
		return err
	}
	defer key.Erase()
	key.Decapsulate(ss, (*kem.Ciphertext)(j.CT))
	return nil
}

func signed(j *job) error {
	seeds := make([]byte, composite.SeedsSize)
	defer clear(seeds)
	unmask(seeds, j.Inputs["seeds"])
	key, err := composite.NewSecretKey(seeds)
	if err != nil {
		return err
	}
	defer key.Erase()
	sig, err := key.Sign(composite.ContextHead, []byte("head"))
	if err != nil {
		return err
	}
	return key.Public().Verify(composite.ContextHead, []byte("head"), sig)
}

func opened(j *job) error {
	es := new(kdf.Secret)
	defer es.Erase()
	unmask(es[:], j.Inputs["epoch"])
	_, err := segment.Open(nil, es, segment.Epoch{Number: 7}, 1, j.Object)
	return err
}

func stored(j *job) error {
	path := filepath.Join(j.Dir, "keys")
	phrase := make([]byte, len(j.Inputs["passphrase"]))
	defer clear(phrase)
	unmask(phrase, j.Inputs["passphrase"])
	locks := []keychain.Lock{
		keychain.DeviceKey{Dir: j.Dir},
		keychain.Passphrase{Text: phrase, Memory: 8 << 10, Time: 1, Threads: 1},
	}
	stored := new(kdf.Secret)
	defer stored.Erase()
	unmask(stored[:], j.Inputs["stored"])
	k, err := keychain.CreateWith(context.Background(), path, locks[0], func(e *keychain.Edit) error {
		return e.Import(keychain.Key{Name: "stored", Version: 1, Kind: keychain.KindSecret}, stored[:])
	})
	if err != nil {
		return err
	}
	if err := k.Rekey(context.Background(), locks[1]); err != nil {
		return err
	}
	k.Close()
	if k, err = keychain.Open(context.Background(), path, locks[1]); err != nil {
		return err
	}
	defer k.Close()
	return k.Secret("stored", 1, stored)
}

// search reads the process's writable memory.
type search struct {
	patterns map[string][]byte
	result   result
}

func (s *search) run() error {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return err
	}
	defer maps.Close()
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		return err
	}
	defer mem.Close()
	buf := make([]byte, 1<<20)
	defer clear(buf)
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || !strings.HasPrefix(fields[1], "rw") {
			continue
		}
		var from, to uint64
		if _, err := fmt.Sscanf(fields[0], "%x-%x", &from, &to); err != nil {
			return err
		}
		for at := from; at < to; at += uint64(len(buf)) {
			n := min(uint64(len(buf)), to-at)
			if _, err := mem.ReadAt(buf[:n], int64(at)); err != nil {
				break // a guard page
			}
			s.result.Bytes += int(n)
			s.look(buf[:n], at)
			clear(buf)
		}
	}
	return nil
}

// look compares under the mask, so that the search itself makes no copy. The
// buffer is read in whole pages and secrets are aligned, so that none is cut.
func (s *search) look(buf []byte, at uint64) {
	for name, p := range s.patterns {
		for _, half := range [][]byte{p[:len(p)/2], p[len(p)/2:]} {
			for i := 0; i+len(half) <= len(buf); i++ {
				if buf[i]^mask != half[0] || !equal(buf[i:], half) {
					continue
				}
				s.result.Found[name]++
				s.result.Where[name] = fmt.Sprintf("%#x after %s", at+uint64(i), context8(buf, i))
			}
		}
	}
}

func equal(buf, masked []byte) bool {
	for i := range masked {
		if buf[i]^mask != masked[i] {
			return false
		}
	}
	return true
}

// context8 is what stands before a hit, which tells its owner.
func context8(buf []byte, i int) string { return hex.EncodeToString(buf[max(0, i-16):i]) }
