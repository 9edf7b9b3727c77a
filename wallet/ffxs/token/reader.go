package token

import "fmt"

// reader walks a byte string once. After the first error it yields nothing
// more, so that callers check once, at the end.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
}

// take returns the next n bytes, aliasing the input, or nil after an error.
func (r *reader) take(n int) []byte {
	if r.err == nil && len(r.b) < n {
		r.fail("cut short")
	}
	if r.err != nil {
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u8() uint8 {
	b := r.take(1)
	if b == nil {
		return 0
	}
	return b[0]
}

// done ends the reading: bytes that are left over are an error.
func (r *reader) done() error {
	if r.err == nil && len(r.b) != 0 {
		r.fail("bytes left over")
	}
	return r.err
}

// groups reads u8 g; { u8 denom; u8 m; item x m; tail }[g] with at most limit
// items in all and hands on each group.
func (r *reader) groups(limit, item, tail int, each func(denom uint8, items, tail []byte)) {
	last, total := -1, 0
	for n := r.u8(); n > 0 && r.err == nil; n-- {
		denom, m := r.u8(), int(r.u8())
		total += m
		switch {
		case r.err != nil:
			return
		case int(denom) <= last:
			r.fail("denominations do not rise")
		case denom >= MaxDenoms:
			r.fail("denomination too large")
		case m == 0:
			r.fail("empty group")
		case total > limit:
			r.fail("too many entries")
		}
		last = int(denom)
		items, end := r.take(m*item), r.take(tail)
		if r.err == nil {
			each(denom, items, end)
		}
	}
}

func (r *reader) points(items []byte) []Point {
	out := make([]Point, len(items)/PointSize)
	for i := range out {
		copy(out[i][:], items[i*PointSize:])
		if out[i].IsIdentity() {
			r.fail("identity element")
		}
	}
	return out
}

func (r *reader) blinds() Blinds {
	var v Blinds
	r.groups(MaxPoints, PointSize, 0, func(denom uint8, items, _ []byte) {
		v = append(v, PointGroup{Denom: denom, Points: r.points(items)})
	})
	return v
}

func (r *reader) spend() Spend {
	var v Spend
	copy(v.KeySet[:], r.take(32))
	r.groups(MaxTokens, tokenSize, 0, func(denom uint8, items, _ []byte) {
		g := Group{Denom: denom, Tokens: make([]Token, len(items)/tokenSize)}
		for i := range g.Tokens {
			one := items[i*tokenSize:]
			copy(g.Tokens[i].T[:], one[:32])
			copy(g.Tokens[i].Y[:], one[32:tokenSize])
		}
		v.Groups = append(v.Groups, g)
	})
	if r.err == nil && len(v.Groups) == 0 {
		r.fail("no tokens")
	}
	return v
}
