package vectors_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"testing/cryptotest"
)

// topic is one file of vectors and what makes it.
type topic struct {
	file string
	make func(t *testing.T) any
}

// topics lists the generated files. A new one needs a line here, a line in
// README.md, a check in a code_*_test.go, and one in naive.
func topics() []topic {
	return []topic{
		{"expand.json", makeExpand},
		{"composite.json", makeComposite},
		{"xwing.json", makeXWing},
		{"bundle.json", makeBundle},
		{"handshake.json", makeHandshake},
		{"exchange.json", makeExchange},
		{"segment.json", makeSegment},
		{"manifest.json", makeManifest},
		{"ffxs.json", makeFFXS},
		{"catalog.json", makeCatalog},
		{"negative.json", makeNegative},
		{"offer.json", makeOffer},
		{"exhibit.json", makeExhibit},
	}
}

// TestGenerate makes every file again and compares it with the committed one;
// with SNE_VECTORS=write it writes them instead. Signatures are hedged, so the
// whole process draws from a fixed source here.
func TestGenerate(t *testing.T) {
	for n, topic := range topics() {
		t.Run(topic.file, func(t *testing.T) {
			cryptotest.SetGlobalRandom(t, uint64(n))
			var buf bytes.Buffer
			enc := json.NewEncoder(&buf)
			enc.SetIndent("", " ")
			enc.SetEscapeHTML(false)
			check(t, enc.Encode(topic.make(t)))
			if os.Getenv("SNE_VECTORS") == "write" {
				check(t, os.WriteFile(topic.file, buf.Bytes(), 0o644))
				return
			}
			have, err := os.ReadFile(topic.file)
			if err != nil || !bytes.Equal(have, buf.Bytes()) {
				t.Errorf("%s is not what the generator makes (%v); run go generate and look at the difference", topic.file, err)
			}
		})
	}
}

// TestTotalSize keeps the folder small.
func TestTotalSize(t *testing.T) {
	entries := must(os.ReadDir("."))(t)
	total := int64(0)
	for _, e := range entries {
		total += must(e.Info())(t).Size()
	}
	if total > 3<<20 {
		t.Errorf("the vectors take %d bytes; at most 3 MiB", total)
	}
}
