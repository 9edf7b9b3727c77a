package bench

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func sample() *Table {
	t := &Table{Head: Head{
		Date: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), Machine: "Model T (2 cores, 4 GB), Linux 6", Go: "go1.26",
		Before: "0.10", Last: "0.90", Took: 90*time.Second + 400*time.Millisecond,
	}}
	t.Add(Figure{What: "memory", Measured: "61 MB", Goal: "<= 60 MB", Verdict: AtMost(61, 60), Beside: "OwnTone 65 MB (other run)", On: "4 rooms | lossless"})
	t.Add(Figure{What: "open", Measured: "97 %", Goal: ">= 95 %", Verdict: AtLeast(97, 95)})
	return t
}

const golden = `<!-- make bench: begin -->
2026-11-24, Model T (2 cores, 4 GB), Linux 6, go1.26. Load before 0.10, after 0.90; the run took 1m30s.

| figure | measured | goal | | beside it | measured on |
|---|---|---|---|---|---|
| memory | 61 MB | <= 60 MB | **missed** | OwnTone 65 MB (other run) | 4 rooms \| lossless |
| open | 97 % | >= 95 % | met | - | - |
<!-- make bench: end -->`

// TestTableGolden writes the table into files of all sorts, twice each. To see
// it fail: let AtMost be strict, or cut Into's tail.
func TestTableGolden(t *testing.T) {
	for name, c := range map[string]struct{ old, want string }{
		"no file": {"", preface + golden + "\n"},
		"a table": {"before\n" + begin + "\nold\n" + end + "\nafter\n", "before\n" + golden + "\nafter\n"},
		"no mark": {"notes\n", "notes\n\n" + golden + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "B.md")
			if c.old != "" {
				if err := os.WriteFile(path, []byte(c.old), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				if err := sample().Write(path); err != nil {
					t.Fatal(err)
				}
				got, err := os.ReadFile(path)
				if err != nil || string(got) != c.want {
					t.Fatalf("%v\n%s\nwant\n%s", err, got, c.want)
				}
			}
		})
	}
}

// TestMarks leaves a file alone whose marks do not pair.
func TestMarks(t *testing.T) {
	for _, old := range []string{begin + " x", end + " x", end + begin} {
		path := filepath.Join(t.TempDir(), "B.md")
		if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := sample().Write(path); !errors.Is(err, ErrMarks) {
			t.Errorf("%q: %v", old, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != old {
			t.Errorf("%q became %q, %v", old, got, err)
		}
	}
}

// TestUsage reads a recorded process and this one.
func TestUsage(t *testing.T) {
	stat := "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 7"
	status := "Name:\ta\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\nRssAnon:\t    512 kB\n"
	want := Usage{CPU: 2 * time.Second, RSS: 1 << 20, Peak: 2 << 20, Anonymous: 512 << 10}
	if u, err := parseUsage([]byte(stat), []byte(status)); err != nil || u != want {
		t.Errorf("%+v, %v; want %+v", u, err, want)
	}
	for _, bad := range [][2]string{{"", status}, {"1 (x) S 1", status}, {strings.Replace(stat, "150", "x", 1), status}, {stat, ""}, {stat, "VmRSS: many kB\n"}} {
		if u, err := parseUsage([]byte(bad[0]), []byte(bad[1])); err == nil {
			t.Errorf("%q gave %+v", bad, u)
		}
	}
	if u, err := UsageOf(os.Getpid()); err != nil || u.RSS < 1<<20 || u.Peak < u.RSS {
		t.Errorf("this process: %+v, %v", u, err)
	}
}
