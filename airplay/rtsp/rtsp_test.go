package rtsp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func read(s string) (*Response, error) {
	return ReadResponse(bufio.NewReaderSize(strings.NewReader(s), 64))
}

func TestReadResponse(t *testing.T) {
	resp, err := read("RTSP/1.0 200 OK\r\nCSeq: 3\r\nTransport: a;b=1\r\nContent-Length: 4\r\n\r\nbodyrest")
	if err != nil {
		t.Fatal(err)
	}
	if resp.Status != 200 || resp.Reason != "OK" || resp.Header["transport"] != "a;b=1" || string(resp.Body) != "body" {
		t.Errorf("got %+v", resp)
	}
}

func TestBadResponses(t *testing.T) {
	many := "RTSP/1.0 200 OK\r\n" + strings.Repeat("A: b\r\n", maxFields+1) + "\r\n"
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":      {"", io.EOF},
		"cut status":   {"RTSP/1.0 200", io.ErrUnexpectedEOF},
		"cut header":   {"RTSP/1.0 200 OK\r\nCSeq: 1\r\n", io.ErrUnexpectedEOF},
		"cut body":     {"RTSP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nabc", io.ErrUnexpectedEOF},
		"no protocol":  {"hello there\r\n\r\n", ErrMessage},
		"no number":    {"RTSP/1.0 OK 200\r\n\r\n", ErrMessage},
		"no colon":     {"RTSP/1.0 200 OK\r\nCSeq 1\r\n\r\n", ErrMessage},
		"long line":    {"RTSP/1.0 200 " + strings.Repeat("x", 2*maxLine) + "\r\n\r\n", ErrMessage},
		"many fields":  {many, ErrMessage},
		"huge body":    {"RTSP/1.0 200 OK\r\nContent-Length: 4294967295\r\n\r\n", ErrMessage},
		"huge number":  {"RTSP/1.0 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", ErrMessage},
		"minus a byte": {"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n", ErrMessage},
	} {
		if _, err := read(c.text); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestFieldsCannotForgeOthers(t *testing.T) {
	got := string(Request{Method: "X", URI: "*", Header: []Field{{"Name", "a\r\nEvil: 1"}}}.append(nil, 1, nil))
	if want := "X * RTSP/1.0\r\nCSeq: 1\r\nName: a  Evil: 1\r\n\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// serve answers the requests on the other end of a pipe with f's texts.
func serve(t *testing.T, f func(n int) string) *Client {
	t.Helper()
	here, there := net.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer there.Close()
		r := bufio.NewReader(there)
		for n := 1; ; n++ {
			for line := ""; line != "\r\n"; {
				var err error
				if line, err = r.ReadString('\n'); err != nil {
					return
				}
			}
			answer := f(n)
			if answer == "hang up" {
				return
			}
			if _, err := io.WriteString(there, answer); err != nil {
				return
			}
		}
	}()
	c := NewClient(here)
	t.Cleanup(func() { c.Close(); <-ended })
	return c
}

func TestDoMatchesAnswers(t *testing.T) {
	c := serve(t, func(n int) string {
		return fmt.Sprintf("RTSP/1.0 500 late\r\nCSeq: %d\r\n\r\nRTSP/1.0 200 OK\r\nCSeq: %d\r\n\r\n", n-1, n)
	})
	for range 3 {
		resp, err := c.Do(t.Context(), Request{Method: "OPTIONS", URI: "*"})
		if err != nil || resp.Status != 200 {
			t.Fatalf("got %+v %v", resp, err)
		}
	}
}

func TestSilenceEndsTheConnection(t *testing.T) {
	c := serve(t, func(int) string { return "" })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Do(ctx, Request{Method: "OPTIONS", URI: "*"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	<-c.Done()
	if _, err := c.Do(t.Context(), Request{Method: "OPTIONS", URI: "*"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the next request says %v, not why the connection ended", err)
	}
}

func TestHangUpIsNoticed(t *testing.T) {
	c := serve(t, func(int) string { return "hang up" })
	if _, err := c.Do(t.Context(), Request{Method: "OPTIONS", URI: "*"}); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want EOF", err)
	}
}

func TestCloseEndsAWaitingRequest(t *testing.T) {
	asked := make(chan struct{})
	c := serve(t, func(int) string { close(asked); return "" })
	result := make(chan error)
	go func() {
		_, err := c.Do(t.Context(), Request{Method: "OPTIONS", URI: "*"})
		result <- err
	}()
	<-asked
	c.Close()
	if err := <-result; !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func FuzzReadResponse(f *testing.F) {
	f.Add("RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 4\r\n\r\nbody")
	f.Add("RTSP/1.0 453 Not Enough Bandwidth\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		resp, err := read(text)
		if err == nil && (len(resp.Body) > maxBody || len(resp.Header) > maxFields) {
			t.Error("an answer beyond the limits was read")
		}
	})
}
