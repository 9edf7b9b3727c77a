// Package i18n holds every sentence of the page, in every language that it
// speaks, as JSON catalogues beside this file.
//
// A catalogue maps a key to a text; {0}, {1} ... in it stand for arguments.
// English is complete and stands in for what another language lacks; a test
// keeps all of them complete.
package i18n

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

//go:embed *.json
var files embed.FS

// fallback is the language that is always there.
const fallback = "en"

// maxHeader bounds the Accept-Language header that is looked at, in bytes.
const maxHeader = 512

// Catalog holds all languages; it is immutable.
type Catalog struct {
	texts map[string]map[string]string // language, key, text
}

// Load reads the catalogues that are built in.
func Load() (*Catalog, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("listing the languages: %w", err)
	}
	c := &Catalog{texts: map[string]map[string]string{}}
	for _, e := range entries {
		data, err := files.ReadFile(e.Name())
		if err != nil {
			return nil, fmt.Errorf("reading a language: %w", err)
		}
		var texts map[string]string
		if err := json.Unmarshal(data, &texts); err != nil {
			return nil, fmt.Errorf("language file %s: %w", e.Name(), err)
		}
		c.texts[strings.TrimSuffix(e.Name(), path.Ext(e.Name()))] = texts
	}
	if c.texts[fallback] == nil {
		return nil, fmt.Errorf("the language %q is missing", fallback)
	}
	return c, nil
}

// For picks a language by an Accept-Language header (RFC 9110, 12.5.4): the
// one with the highest weight that there is, the first of equals.
func (c *Catalog) For(header string) Language {
	if len(header) > maxHeader {
		header = header[:maxHeader]
	}
	best, weight := fallback, 0.0
	for item := range strings.SplitSeq(header, ",") {
		tag, params, _ := strings.Cut(item, ";")
		base, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		if c.texts[base] == nil {
			continue
		}
		q := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			if parsed, err := strconv.ParseFloat(v, 64); err == nil {
				q = parsed
			}
		}
		if q > weight && q <= 1 {
			best, weight = base, q
		}
	}
	return Language{Tag: best, texts: c.texts[best], spare: c.texts[fallback]}
}

// Languages lists the tags, sorted.
func (c *Catalog) Languages() []string {
	var tags []string
	for tag := range c.texts {
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	return tags
}

// Language speaks one language.
type Language struct {
	Tag          string // BCP 47, for the lang attribute
	texts, spare map[string]string
}

// T returns the text of a key with the arguments put in. A key that is in no
// catalogue is returned as it is.
func (l Language) T(key string, args ...string) string {
	text, ok := l.texts[key]
	if !ok {
		if text, ok = l.spare[key]; !ok {
			return key
		}
	}
	if len(args) == 0 {
		return text
	}
	pairs := make([]string, 0, 2*len(args))
	for i, a := range args {
		pairs = append(pairs, "{"+strconv.Itoa(i)+"}", a)
	}
	return strings.NewReplacer(pairs...).Replace(text) // one pass: braces in an argument stay
}
