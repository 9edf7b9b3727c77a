package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"sonahub/sne/wire"
)

const (
	maxDepth  = 8
	maxText   = 500 // characters
	maxNumber = 1<<53 - 1
)

// object is a JSON object whose values are object, []any, string, int64, bool
// or nil. encoding/json alone would not do: it folds the case of keys, takes
// the last of two equal ones and mends broken UTF-8.
type object map[string]any

func decodeObject(raw []byte) (object, error) {
	if !utf8.Valid(raw) {
		return nil, wire.Malformed("catalogue is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	v, err := value(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, wire.Malformed("catalogue with trailing data")
	}
	o, ok := v.(object)
	if !ok {
		return nil, wire.Malformed("catalogue is not an object")
	}
	return o, nil
}

func value(dec *json.Decoder, depth int) (any, error) {
	t, err := dec.Token()
	if err != nil {
		return nil, wire.Malformed("catalogue is not JSON")
	}
	switch t := t.(type) {
	case json.Delim:
		if depth == maxDepth {
			return nil, wire.Malformed("catalogue nests too deeply")
		}
		if t == '{' {
			return members(dec, depth)
		}
		return elements(dec, depth)
	case json.Number:
		n, err := strconv.ParseInt(t.String(), 10, 64)
		if err != nil || n > maxNumber || n < -maxNumber {
			return nil, wire.Malformed("catalogue number is not an integer below 2^53")
		}
		return n, nil
	}
	return t, nil
}

func members(dec *json.Decoder, depth int) (any, error) {
	o := object{}
	for dec.More() {
		t, err := dec.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return nil, wire.Malformed("catalogue is not JSON")
		}
		if _, twice := o[key]; twice {
			return nil, wire.Malformed("catalogue with a duplicate key")
		}
		if o[key], err = value(dec, depth+1); err != nil {
			return nil, err
		}
	}
	return o, closing(dec)
}

func elements(dec *json.Decoder, depth int) (any, error) {
	list := []any{}
	for dec.More() {
		v, err := value(dec, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, closing(dec)
}

func closing(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return wire.Malformed("catalogue is not JSON")
	}
	return nil
}

// decoder takes typed values out of objects; the first failure sticks. An
// absent or null member gives the zero value.
type decoder struct{ err error }

func (d *decoder) fail(key string) {
	if d.err == nil {
		d.err = wire.Malformed(fmt.Sprintf("catalogue field %q", key))
	}
}

func (d *decoder) require(o object, keys ...string) {
	for _, k := range keys {
		if o[k] == nil {
			d.fail(k)
		}
	}
}

func member[T any](d *decoder, o object, key string) (v T, ok bool) {
	if o[key] == nil {
		return v, false
	}
	if v, ok = o[key].(T); !ok {
		d.fail(key)
	}
	return v, ok
}

// text is cut at 500 characters.
func (d *decoder) text(o object, key string) string {
	s, _ := member[string](d, o, key)
	n := 0
	for i := range s {
		if n == maxText {
			return s[:i]
		}
		n++
	}
	return s
}

func (d *decoder) number(o object, key string, limit int64) int64 {
	n, _ := member[int64](d, o, key)
	if n < 0 || n > limit {
		d.fail(key)
		return 0
	}
	return n
}

func (d *decoder) id(o object, key string) wire.ID {
	s, ok := member[string](d, o, key)
	if !ok {
		return wire.ID{}
	}
	id, err := wire.ParseID(s)
	if err != nil {
		d.fail(key)
	}
	return id
}

func (d *decoder) ids(o object, key string) []wire.ID {
	list, _ := member[[]any](d, o, key)
	var ids []wire.ID
	for _, v := range list {
		s, _ := v.(string)
		id, err := wire.ParseID(s)
		if err != nil {
			d.fail(key)
		}
		ids = append(ids, id)
	}
	return ids
}

func (d *decoder) object(o object, key string) object {
	v, _ := member[object](d, o, key)
	return v
}

func (d *decoder) objects(o object, key string) []object {
	list, _ := member[[]any](d, o, key)
	var out []object
	for _, v := range list {
		x, ok := v.(object)
		if !ok {
			d.fail(key)
			return nil
		}
		out = append(out, x)
	}
	return out
}
