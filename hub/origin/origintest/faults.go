package origintest

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"sonahub/sne/resource"
	"sonahub/sne/wire"
)

// Mode is a fault.
type Mode int

// The faults. Each strikes the kinds in parentheses, unless Only says others.
const (
	Pass            Mode = iota // none
	WrongMIME                   // everything is text/html (GETs)
	Truncate                    // the second half is missing, and the length says so (segments)
	CutOff                      // the connection ends in the middle (segments)
	BitFlip                     // one bit is turned (segments)
	ForeignManifest             // Heads and records of another broadcast (Head, Records)
	Stall                       // no answer until another mode is set or the client leaves (all)
	Die                         // every connection is cut at once (all)
	Flood                       // a body without end, at most 64 MiB (GETs)
	Busy                        // 503 with Retry-After: 1 (all)
	Missing                     // 404 (GETs)
)

// Faults passes everything on to the handler behind it until it is told to
// misbehave. The zero value passes. It is safe for concurrent use.
type Faults struct {
	mu    sync.Mutex
	mode  Mode
	only  []resource.Kind
	other wire.ID
	moved chan struct{} // closed when the mode changes
	seen  map[resource.Kind]int
}

// Wrap puts the faults before a handler: origin.Config{Wrap: f.Wrap}.
func (f *Faults) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, next) })
}

// Set chooses the fault from now on, for the kinds it strikes by nature, or
// for these alone.
func (f *Faults) Set(m Mode, only ...resource.Kind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mode, f.only = m, only
	if f.moved != nil {
		close(f.moved)
		f.moved = nil
	}
}

// Foreign sets ForeignManifest: whoever asks for any manifest gets that of
// other.
func (f *Faults) Foreign(other wire.ID) {
	f.Set(ForeignManifest)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.other = other
}

// Count tells how many requests of a kind came, faulty ones included.
func (f *Faults) Count(k resource.Kind) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[k]
}

func strikes(m Mode, k resource.Kind) bool {
	get := k != resource.Session && k != resource.Exchange
	switch m {
	case WrongMIME, Flood, Missing:
		return get
	case Truncate, CutOff, BitFlip:
		return k == resource.Segment
	case ForeignManifest:
		return k == resource.Head || k == resource.Records
	case Stall, Die, Busy:
		return true
	}
	return false
}

func (f *Faults) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	res, _ := resource.Parse(r.URL.EscapedPath()) // what does not parse has kind 0 and passes
	f.mu.Lock()
	if f.seen == nil {
		f.seen = map[resource.Kind]int{}
	}
	f.seen[res.Kind]++
	f.mu.Unlock()
	f.act(w, r, next, res)
}

// act does what the present mode says.
func (f *Faults) act(w http.ResponseWriter, r *http.Request, next http.Handler, res resource.Resource) {
	f.mu.Lock()
	m, other := f.mode, f.other
	if len(f.only) > 0 && !slices.Contains(f.only, res.Kind) || len(f.only) == 0 && !strikes(m, res.Kind) {
		m = Pass
	}
	if f.moved == nil {
		f.moved = make(chan struct{})
	}
	moved := f.moved
	f.mu.Unlock()

	switch m {
	case Pass:
		next.ServeHTTP(w, r)
	case Stall:
		select {
		case <-moved:
			f.act(w, r, next, res)
		case <-r.Context().Done():
		}
	case Die:
		cut(w)
	case Flood:
		flood(w, r)
	case Busy:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	case Missing:
		w.WriteHeader(http.StatusNotFound)
	case ForeignManifest:
		res.ID = other
		foreign := r.Clone(r.Context())
		foreign.URL.Path = res.Path()
		next.ServeHTTP(w, foreign)
	default:
		spoil(w, r, next, m)
	}
}

// spoil changes a good answer.
func spoil(w http.ResponseWriter, r *http.Request, next http.Handler, m Mode) {
	good := &recorder{header: http.Header{}, status: http.StatusOK}
	next.ServeHTTP(good, r)
	body := good.body.Bytes()
	for k, v := range good.header {
		w.Header()[k] = v
	}
	switch {
	case good.status != http.StatusOK || len(body) == 0:
	case m == WrongMIME:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
	case m == Truncate:
		body = body[:len(body)/2]
	case m == BitFlip:
		body[len(body)/2] ^= 0x10
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(good.status)
	if m == CutOff {
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		cut(w)
		return
	}
	_, _ = w.Write(body) // the client may have left
}

// cut ends the connection without another byte.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

const maxFlood = 64 << 20 // bytes

func flood(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	block := make([]byte, 64<<10)
	for i := 0; i < maxFlood/len(block) && r.Context().Err() == nil; i++ {
		binary.BigEndian.PutUint64(block, uint64(i))
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
