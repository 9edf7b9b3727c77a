package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sonahub/hub/api"
	"sonahub/hub/app"
	"sonahub/hub/cmd/console"
)

const ctlUsage = `usage: sonahub ctl COMMAND [--state DIR] [--json]
  status              what plays where
  rooms               every room with its speaker
  spent               money: spent, left, caps
  play | pause | next | previous
  seek SECONDS
  volume ROOM PERCENT
  join ROOM|all       take the music to a room
  leave ROOM
  verify-exhibit FILE --accused KEYID
                      judge a proof of fraud; needs no hub and no network`

// maxAnswer bounds what the hub may answer.
const maxAnswer = 32 << 20

// remote speaks to the hub's socket.
type remote struct {
	http *http.Client
	out  io.Writer
	json bool
}

func ctl(ctx context.Context, args []string, out io.Writer) error {
	cfg := app.DefaultConfig()
	flags := flag.NewFlagSet("sonahub ctl", flag.ContinueOnError)
	flags.StringVar(&cfg.State, "state", os.Getenv("SONAHUB_STATE"), "the hub's state folder (default ~/.local/share/sonahub, or SONAHUB_STATE)")
	asJSON := flags.Bool("json", false, "answer in JSON")
	accused := flags.String("accused", "", "verify-exhibit: KeyID of the one whom the exhibit accuses, from a sne:// URL or a catalogue")
	words, err := interleaved(flags, args, out)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return errors.New(ctlUsage)
	}
	if words[0] == "verify-exhibit" {
		return verifyExhibit(words[1:], *accused, out)
	}
	state, err := cfg.StateFolder()
	if err != nil {
		return err
	}
	r := &remote{out: out, json: *asJSON, http: &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, // one command, then the process ends
		DialContext:       dialer(filepath.Join(state, app.SocketName)),
	}}}
	return r.run(ctx, words[0], words[1:])
}

// dialer connects to the hub's socket, whatever the address.
func dialer(socket string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, "unix", socket)
		if errors.Is(err, fs.ErrPermission) {
			return nil, &noHubError{fmt.Sprintf("the socket %s belongs to another user; run this as the user of the hub", socket)}
		}
		if err != nil {
			return nil, &noHubError{fmt.Sprintf("no hub answers at %s; is it running for this user, with this --state?", socket)}
		}
		return c, nil
	}
}

// noHubError says that there is nobody to speak to.
type noHubError struct{ text string }

func (e *noHubError) Error() string { return e.text }

// interleaved lets flags stand before and after the words.
func interleaved(fs *flag.FlagSet, args []string, out io.Writer) ([]string, error) {
	var words []string
	for {
		if err := console.Parse(fs, args, ctlUsage, out); err != nil {
			return nil, err
		}
		if fs.NArg() == 0 {
			return words, nil
		}
		words = append(words, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

func (r *remote) run(ctx context.Context, command string, words []string) error {
	want, known := map[string]int{"status": 0, "rooms": 0, "spent": 0, "play": 0, "pause": 0, "next": 0, "previous": 0,
		"volume": 2, "join": 1, "leave": 1, "seek": 1}[command]
	if !known {
		return fmt.Errorf("there is no command %q\n%s", command, ctlUsage)
	}
	if len(words) != want {
		return fmt.Errorf("%s takes %d words behind it, not %d\n%s", command, want, len(words), ctlUsage)
	}
	var body map[string]any
	var err error
	switch command {
	case "status", "rooms", "spent":
		return r.show(ctx, command)
	case "seek":
		body, err = seekBody(words[0])
	case "volume":
		body, err = r.volumeBody(ctx, words[0], words[1])
	case "join", "leave":
		body, err = r.roomBody(ctx, words[0], command == "join")
	}
	if err != nil {
		return err
	}
	if err := r.post(ctx, command, body); err != nil {
		return err
	}
	return r.show(ctx, "status")
}

// maxSeek is a day, in seconds.
const maxSeek = 86400

func seekBody(word string) (map[string]any, error) {
	s, err := strconv.ParseFloat(word, 64)
	if err != nil || !(s >= 0 && s <= maxSeek) {
		return nil, fmt.Errorf("seek wants seconds from the start of the piece, such as 90, not %q", word)
	}
	return map[string]any{"to_ms": int64(s * 1000)}, nil
}

func (r *remote) volumeBody(ctx context.Context, word, percent string) (map[string]any, error) {
	n, err := strconv.Atoi(percent)
	if err != nil || n < 0 || n > 100 {
		return nil, fmt.Errorf("volume wants a number from 0 to 100, not %q", percent)
	}
	body, err := r.roomBody(ctx, word, false)
	if err != nil {
		return nil, err
	}
	body["percent"] = n
	return body, nil
}

// roomBody finds a room by its id or its name; all may stand for every room.
func (r *remote) roomBody(ctx context.Context, word string, all bool) (map[string]any, error) {
	if all && word == "all" {
		return map[string]any{"room": word}, nil
	}
	s, _, err := r.state(ctx)
	if err != nil {
		return nil, err
	}
	var named, there []string
	for _, x := range s.Rooms {
		if x.ID == word {
			return map[string]any{"room": x.ID}, nil
		}
		if strings.EqualFold(x.Name, word) {
			named = append(named, x.ID)
		}
		there = append(there, fmt.Sprintf("%s (%s)", x.ID, x.Name))
	}
	switch {
	case len(named) == 1:
		return map[string]any{"room": named[0]}, nil
	case len(named) > 1:
		return nil, fmt.Errorf("several rooms are called %q; say which by its id: %s", word, strings.Join(named, ", "))
	case len(there) == 0:
		return nil, fmt.Errorf("there is no room %q; the hub has found none yet", word)
	}
	return nil, fmt.Errorf("there is no room %q; there are: %s", word, strings.Join(there, ", "))
}

func (r *remote) post(ctx context.Context, command string, body map[string]any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	_, err = r.do(ctx, http.MethodPost, "/api/command/"+command, data)
	return err
}

func (r *remote) state(ctx context.Context) (api.State, []byte, error) {
	data, err := r.do(ctx, http.MethodGet, "/api/state", nil)
	if err != nil {
		return api.State{}, nil, err
	}
	var s api.State
	if err := json.Unmarshal(data, &s); err != nil {
		return api.State{}, nil, fmt.Errorf("the hub's answer is not understood: %w", err)
	}
	return s, data, nil
}

func (r *remote) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.http.Do(req)
	var nobody *noHubError
	if errors.As(err, &nobody) {
		return nil, nobody // without the HTTP round it
	}
	if err != nil {
		return nil, fmt.Errorf("the hub does not answer: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return data, nil
	}
	var p api.Problem
	if json.Unmarshal(data, &p) == nil && p.Message != "" {
		return nil, errors.New(strings.TrimSpace(p.Message + " " + p.Next))
	}
	return nil, fmt.Errorf("the hub answers %s", resp.Status)
}
