// Package rtsp is the client's side of RTSP/1.0 (RFC 2326) as AirPlay uses it:
// one connection, one request at a time, answers matched by CSeq.
//
// The other end is not trusted: an answer is bounded in lines, header fields
// and body, and every request in time. After a timeout or an answer that
// cannot be read the connection is closed, because nobody can say what the
// next bytes on it would belong to.
package rtsp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Limits of an answer.
const (
	maxLine   = 4 << 10 // bytes in the status line or a header field
	maxFields = 64
	maxBody   = 64 << 10 // bytes
)

// ErrMessage is wrapped by every error about an answer that cannot be read.
var ErrMessage = errors.New("rtsp: unreadable answer")

// Field is one header field of a request.
type Field struct{ Name, Value string }

// Request is one request. CSeq and Content-Length are added on the way.
type Request struct {
	Method string
	URI    string
	Header []Field
	Body   []byte
}

// Response is one answer. Header has lower-case names; of a field that comes
// twice the last one counts.
type Response struct {
	Status int
	Reason string
	Header map[string]string
	Body   []byte
}

// append writes the request with its sequence number. Line breaks within
// fields, which would forge others, become spaces.
func (q Request) append(dst []byte, cseq int, common []Field) []byte {
	dst = fmt.Appendf(dst, "%s %s RTSP/1.0\r\nCSeq: %d\r\n", oneLine(q.Method), oneLine(q.URI), cseq)
	for _, fields := range [][]Field{common, q.Header} {
		for _, f := range fields {
			dst = fmt.Appendf(dst, "%s: %s\r\n", oneLine(f.Name), oneLine(f.Value))
		}
	}
	if len(q.Body) > 0 {
		dst = fmt.Appendf(dst, "Content-Length: %d\r\n", len(q.Body))
	}
	return append(append(dst, "\r\n"...), q.Body...)
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// ReadResponse reads one answer. Its error wraps ErrMessage, or is that of r.
func ReadResponse(r *bufio.Reader) (*Response, error) {
	line, err := readLine(r)
	if err != nil {
		return nil, err
	}
	proto, rest, _ := strings.Cut(line, " ")
	code, reason, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if err != nil || len(code) != 3 || !strings.HasPrefix(proto, "RTSP/1.") && !strings.HasPrefix(proto, "HTTP/1.") {
		return nil, fmt.Errorf("%w: status line %.40q", ErrMessage, line)
	}
	resp := &Response{Status: status, Reason: reason, Header: map[string]string{}}
	for fields := 0; ; fields++ {
		line, err := readLine(r)
		if err != nil {
			return nil, noEOF(err)
		}
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || fields == maxFields {
			return nil, fmt.Errorf("%w: header %.40q", ErrMessage, line)
		}
		resp.Header[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	return resp, resp.readBody(r)
}

func (p *Response) readBody(r *bufio.Reader) error {
	text, ok := p.Header["content-length"]
	if !ok {
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n > maxBody {
		return fmt.Errorf("%w: body of %.20q bytes", ErrMessage, text)
	}
	p.Body = make([]byte, n)
	if _, err := io.ReadFull(r, p.Body); err != nil {
		return noEOF(err)
	}
	return nil
}

func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			return "", fmt.Errorf("%w: a line of more than %d bytes", ErrMessage, maxLine)
		}
		line = append(line, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil && len(line) > 0:
			return "", noEOF(err)
		case err != nil:
			return "", err
		default:
			return string(bytes.TrimRight(line, "\r\n")), nil
		}
	}
}

// noEOF turns the end of the stream within an answer into an error that says
// so.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
