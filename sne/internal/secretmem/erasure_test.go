package secretmem_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
	"sonahub/sne/segment"
)

const mask = 0xa5

type job struct {
	Dir      string
	Inputs   map[string][]byte
	Patterns map[string][]byte
	CT       []byte
	Object   []byte
	Keep     bool
}

type result struct {
	Erases bool
	Found  map[string]int
	Where  map[string]string
	Bytes  int
}

func hidden(b []byte) []byte {
	out := bytes.Clone(b)
	for i := range out {
		out[i] ^= mask
	}
	return out
}

func secret(name string) *kdf.Secret {
	s := kdf.Secret(sha256.Sum256([]byte("erasure test " + name)))
	return &s
}

// prepare makes a job and derives what the child will derive.
func prepare(t *testing.T) job {
	t.Helper()
	root, seed, es, stored := secret("root"), secret("kem"), secret("epoch"), secret("stored")
	seeds := append(secret("pq")[:], secret("ed")[:]...)
	var next, message, ss kdf.Secret
	if err := kdf.Expand(&next, root, "next", nil); err != nil {
		t.Fatal(err)
	}
	if err := kdf.Extract(&message, &next, root); err != nil {
		t.Fatal(err)
	}
	key, err := kem.NewSecretKey(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	var ct kem.Ciphertext
	if err := key.Public().Encapsulate(nil, &ss, &ct); err != nil {
		t.Fatal(err)
	}
	object, err := segment.Seal(nil, es, segment.Epoch{Number: 7}, 1, make([]byte, 5000))
	if err != nil {
		t.Fatal(err)
	}
	phrase := []byte("correct horse battery staple and so on")
	return job{
		Dir: t.TempDir(), CT: ct[:], Object: object,
		Inputs: map[string][]byte{
			"root": hidden(root[:]), "kem": hidden(seed[:]), "seeds": hidden(seeds), "epoch": hidden(es[:]),
			"stored": hidden(stored[:]), "passphrase": hidden(phrase),
		},
		Patterns: map[string][]byte{
			"root": hidden(root[:]), "expanded": hidden(next[:]), "extracted": hidden(message[:]),
			"KEM seed": hidden(seed[:]), "shared secret": hidden(ss[:]),
			"ML-DSA seed": hidden(seeds[:composite.SeedsSize/2]), "Ed25519 seed": hidden(seeds[composite.SeedsSize/2:]),
			"epoch secret": hidden(es[:]), "stored secret": hidden(stored[:]), "passphrase": hidden(phrase),
		},
	}
}

// child builds the program that uses keys and looks for them afterwards.
func child(t *testing.T, experiment string) func(job) result {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "child")
	build := exec.Command("go", "build", "-o", bin, "./testdata/child")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if experiment != "" {
		build.Env = append(build.Env, "GOEXPERIMENT="+experiment)
	}
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build with GOEXPERIMENT=%q: %v\n%s", experiment, err, out)
	}
	return func(j job) (r result) {
		t.Helper()
		j.Dir = t.TempDir()
		in, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(bin)
		cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
		runtime.LockOSThread() // the death signal is tied to the thread that starts the child
		defer runtime.UnlockOSThread()
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &r); err != nil {
			t.Fatal(err)
		}
		if r.Bytes < 1<<20 {
			t.Fatalf("only %d bytes of memory were read", r.Bytes)
		}
		return r
	}
}

// TestNoKeysAreLeftInMemory is the promise of section 10, which only a build
// with runtime/secret makes.
func TestNoKeysAreLeftInMemory(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("runtime/secret works on linux/amd64 and linux/arm64 alone")
	}
	if testing.Short() {
		t.Skip("builds the standard library once more")
	}
	run, j := child(t, "runtimesecret"), prepare(t)
	r := run(j)
	if !r.Erases {
		t.Fatal("the child was built without runtime/secret")
	}
	for name, n := range r.Found {
		t.Errorf("%s: %d halves are left in memory, one at %s", name, n, r.Where[name])
	}
	j.Keep = true
	if r := run(j); r.Found["root"] < 2 {
		t.Errorf("a secret that is alive was not found, so this shows nothing: %v", r.Found)
	}
}

// TestWhatAPlainBuildLeaves promises nothing and only reports.
func TestWhatAPlainBuildLeaves(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc/self/mem, which is Linux's")
	}
	j := prepare(t)
	r := child(t, "")(j)
	if r.Erases {
		t.Error("a plain build claims to erase")
	}
	t.Logf("without runtime/secret, of %d secrets these are left in memory (halves found): %v", len(j.Patterns), r.Found)
}
