package discover

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
)

// maxRecords bounds what a network can make us remember.
const maxRecords = 512

// maxAddrs bounds the addresses of one record.
const maxAddrs = 16

// book is what is known, with the sweep in which it was last seen. The zero
// value is empty and ready.
type book struct {
	sweep   int
	entries map[key]*entry
}

type key struct {
	service, instance string
	manual            bool
}

type entry struct {
	record Record
	seen   int // sweep
	addrs  map[netip.Addr]int
	missed int
}

func (b *book) begin() { b.sweep++ }

// see takes an answer and returns what it changes, if anything.
func (b *book) see(r Record) (Event, bool) {
	k := key{r.Service, r.Instance, r.Manual}
	e := b.entries[k]
	if e == nil {
		if len(b.entries) >= maxRecords {
			return Event{}, false
		}
		if b.entries == nil {
			b.entries = map[key]*entry{}
		}
		e = &entry{addrs: map[netip.Addr]int{}}
		b.entries[k] = e
	}
	fresh := e.seen == 0
	e.seen, e.missed = b.sweep, 0
	for _, a := range r.Addrs {
		if _, known := e.addrs[a]; known || len(e.addrs) < maxAddrs {
			e.addrs[a] = b.sweep
		}
	}
	old := e.record
	e.record = r
	e.record.Addrs = e.ordered()
	if fresh {
		return Event{Added, e.record}, true
	}
	return Event{Changed, e.record}, !old.equal(e.record)
}

// ordered lists the addresses: IPv4 first, then by when they were last seen.
func (e *entry) ordered() []netip.Addr {
	return slices.SortedFunc(maps.Keys(e.addrs), func(a, b netip.Addr) int {
		if a.Is4() != b.Is4() {
			if a.Is4() {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(e.addrs[b], e.addrs[a]), a.Compare(b))
	})
}

// end closes a sweep: records that were missed limit times in a row are gone,
// and addresses that were not seen for as long are dropped.
func (b *book) end(limit int, failed []string) []Event {
	var out []Event
	for _, k := range b.keys() {
		e := b.entries[k]
		if e.seen != b.sweep {
			if k.manual || !slices.Contains(failed, k.service) {
				e.missed++
			}
			if e.missed >= limit {
				delete(b.entries, k)
				out = append(out, Event{Gone, e.record})
			}
			continue
		}
		maps.DeleteFunc(e.addrs, func(_ netip.Addr, seen int) bool { return b.sweep-seen >= limit })
		if addrs := e.ordered(); !slices.Equal(addrs, e.record.Addrs) {
			e.record.Addrs = addrs
			out = append(out, Event{Changed, e.record})
		}
	}
	return out
}

func (b *book) keys() []key {
	return slices.SortedFunc(maps.Keys(b.entries), func(x, y key) int {
		return cmp.Or(cmp.Compare(x.service, y.service), cmp.Compare(x.instance, y.instance))
	})
}

func (b *book) records() []Record {
	var out []Record
	for _, k := range b.keys() {
		out = append(out, b.entries[k].record)
	}
	return out
}
