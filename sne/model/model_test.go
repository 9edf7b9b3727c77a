package model

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestProofs runs every model and compares its verdicts with the recorded ones.
func TestProofs(t *testing.T) {
	if _, err := exec.LookPath("proverif"); err != nil {
		t.Skip("proverif is missing (version 2.05: opam install proverif)")
	}
	want, err := os.ReadFile("results.txt")
	if err != nil {
		t.Fatal(err)
	}
	got, err := exec.CommandContext(t.Context(), "./run.sh").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	if !slices.Equal(verdicts(string(got)), verdicts(string(want))) {
		t.Fatalf("other verdicts than results.txt:\n%s", got)
	}
}

// TestControlsAreRecorded: the record has a verdict for every model, the claims
// are true, and each control finds its attack, without which a claim beside it
// would say nothing.
func TestControlsAreRecorded(t *testing.T) {
	raw, err := os.ReadFile("results.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := verdicts(string(raw))
	for model, want := range map[string]string{
		"handshake, lock-salted, kept-next":                "agree:true secret:true reachable",
		"handshake-kem-leaked, lock-salted, kept-next":     "agree:true secret:true reachable",
		"handshake-signing-leaked, lock-salted, kept-next": "agree:true secret:true reachable",
		"handshake-both-leaked, lock-salted, kept-next":    "agree:false agree:false secret:false reachable",
		"exchange, lock-salted, kept-next":                 "agree:true secret:true secret:true reachable",
		"exchange-signing-leaked, lock-salted, kept-next":  "agree:true secret:true secret:true reachable",
		"heal, lock-salted, kept-next":                     "agree:true secret:true secret:true reachable",
		"heal-active, lock-salted, kept-next":              "secret:false",
		"unpaid, lock-salted, kept-next":                   "secret:true reachable",
		"paid, lock-salted, kept-next":                     "secret:false reachable",
		"exchange, lock-saltless, kept-next":               "agree:true secret:true secret:false reachable",
		"exchange, lock-salted, kept-x":                    "agree:true secret:true secret:false reachable",
	} {
		if !slices.Contains(all, model+": "+want) {
			t.Errorf("%s: want %s; recorded are\n%s", model, want, strings.Join(all, "\n"))
		}
	}
	if len(all) != 12 {
		t.Errorf("%d models", len(all))
	}
}

// verdicts makes one line of each model.
func verdicts(text string) []string {
	result := regexp.MustCompile(`^RESULT .*\bis (true|false)\.\)?$`)
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "== "); ok {
			out = append(out, name+":")
			continue
		}
		m := result.FindStringSubmatch(line)
		switch {
		case len(out) == 0:
		case m == nil:
			out[len(out)-1] += " undecided"
		case strings.Contains(line, "==>"):
			out[len(out)-1] += " agree:" + m[1]
		case strings.Contains(line, "attacker"):
			out[len(out)-1] += " secret:" + m[1]
		case m[1] == "false": // "not reachable" is false
			out[len(out)-1] += " reachable"
		default:
			out[len(out)-1] += " unreachable"
		}
	}
	return out
}
