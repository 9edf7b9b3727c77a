package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Verdict says how a figure stands to its goal.
type Verdict string

// The verdicts. The zero value is a figure without a goal.
const (
	NoGoal Verdict = ""
	Met    Verdict = "met"
	Missed Verdict = "**missed**"
)

// AtMost judges a figure that must not be larger than its goal; both in the
// same unit.
func AtMost(got, goal float64) Verdict {
	if got <= goal {
		return Met
	}
	return Missed
}

// AtLeast judges a figure that must not be smaller than its goal.
func AtLeast(got, goal float64) Verdict { return AtMost(-got, -goal) }

// Figure is one row of the table.
type Figure struct {
	What     string  // the number, in words
	Measured string  // with its unit
	Goal     string  // "" = the design sets none
	Verdict  Verdict // against Goal
	Beside   string  // a peer or a bare primitive; "other run" if it did not run beside
	On       string  // what it was measured on
}

// Head says when and where the figures were taken.
type Head struct {
	Date         time.Time
	Machine      string // processor, cores, memory, kernel
	Go           string // version
	Before, Last string // load of the machine (1 minute) before and after the run
	Took         time.Duration
}

// Table is what a run found.
type Table struct {
	Head    Head
	Figures []Figure
}

// Add appends a figure.
func (t *Table) Add(f Figure) { t.Figures = append(t.Figures, f) }

// The marks between which the table stands in its file.
const (
	begin = "<!-- make bench: begin -->"
	end   = "<!-- make bench: end -->"
)

const preface = `# Benchmarks

What ` + "`make bench`" + ` found last; it rewrites the table and nothing else here.
Figures hold for the machine they name and for no other.

`

// ErrMarks is returned for a file whose marks do not pair.
var ErrMarks = errors.New("bench: the marks of the table do not pair")

// Markdown renders the head and the table.
func (t *Table) Markdown() string {
	var b strings.Builder
	h := t.Head
	fmt.Fprintf(&b, "%s, %s, %s. Load before %s, after %s; the run took %v.\n\n",
		h.Date.Format("2006-01-02"), h.Machine, h.Go, h.Before, h.Last, h.Took.Round(time.Second))
	b.WriteString("| figure | measured | goal | | beside it | measured on |\n|---|---|---|---|---|---|\n")
	for _, f := range t.Figures {
		cells := []string{f.What, f.Measured, f.Goal, string(f.Verdict), f.Beside, f.On}
		for i, c := range cells {
			if c == "" {
				cells[i] = "-"
			}
			cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String()
}

// Into returns old with the table between the marks replaced by t. A text
// without marks gets them at its end, an empty one a preface as well.
func (t *Table) Into(old []byte) ([]byte, error) {
	table := begin + "\n" + t.Markdown() + end
	from, to := bytes.Index(old, []byte(begin)), bytes.Index(old, []byte(end))
	switch {
	case len(bytes.TrimSpace(old)) == 0:
		return []byte(preface + table + "\n"), nil
	case from < 0 && to < 0:
		return fmt.Appendf(bytes.TrimRight(old, "\n"), "\n\n%s\n", table), nil
	case from < 0 || to < from:
		return nil, ErrMarks
	}
	return bytes.Join([][]byte{old[:from], []byte(table), old[to+len(end):]}, nil), nil
}

// Write puts the table into a file that it leaves untouched on any error.
func (t *Table) Write(path string) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("bench: %w", err)
	}
	text, err := t.Into(old)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	next := path + ".next"
	if err := os.WriteFile(next, text, 0o644); err != nil { //nolint:gosec // a document of the repository
		return fmt.Errorf("bench: %w", err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("bench: %w", errors.Join(err, os.Remove(next)))
	}
	return nil
}
