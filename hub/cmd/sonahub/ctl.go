package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"sonahub/hub/api"
	"sonahub/hub/app"
	"sonahub/wallet"
)

const ctlUsage = `usage: sonahub ctl COMMAND [--state DIR] [--json]
  status              what plays where
  rooms               every room with its speaker
  spent               money: spent, left, caps
  play | pause | next | previous
  seek SECONDS
  volume ROOM PERCENT
  join ROOM|all       take the music to a room
  leave ROOM`

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
	fs := flag.NewFlagSet("sonahub ctl", flag.ContinueOnError)
	fs.StringVar(&cfg.State, "state", os.Getenv("SONAHUB_STATE"), "the hub's state folder (default ~/.local/share/sonahub, or SONAHUB_STATE)")
	asJSON := fs.Bool("json", false, "answer in JSON")
	words, err := interleaved(fs, args)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return errors.New(ctlUsage)
	}
	if cfg.State == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return err
		}
		cfg.State = filepath.Join(home, ".local", "share", "sonahub")
	}
	socket := filepath.Join(cfg.State, app.SocketName)
	r := &remote{out: out, json: *asJSON, http: &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			c, err := d.DialContext(ctx, "unix", socket)
			if err != nil {
				return nil, fmt.Errorf("no hub answers at %s; is `sonahub serve` running for this user, with this --state?", socket)
			}
			return c, nil
		},
	}}}
	return r.run(ctx, words[0], words[1:])
}

// interleaved lets flags stand before and after the words.
func interleaved(fs *flag.FlagSet, args []string) ([]string, error) {
	var words []string
	for {
		if err := fs.Parse(args); err != nil {
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
	want := map[string]int{"volume": 2, "join": 1, "leave": 1, "seek": 1}[command]
	if len(words) != want {
		return errors.New(ctlUsage)
	}
	body := map[string]any{}
	switch command {
	case "status", "rooms", "spent":
		return r.show(ctx, command)
	case "play", "pause", "next", "previous":
	case "seek":
		s, err := strconv.ParseFloat(words[0], 64)
		if err != nil || s < 0 || s > 1e7 {
			return fmt.Errorf("seek wants seconds, not %q", words[0])
		}
		body["to_ms"] = int64(s * 1000)
	case "volume":
		n, err := strconv.Atoi(words[1])
		if err != nil {
			return fmt.Errorf("volume wants a number from 0 to 100, not %q", words[1])
		}
		body["percent"] = n
		fallthrough
	case "join", "leave":
		id, err := r.room(ctx, words[0])
		if err != nil {
			return err
		}
		body["room"] = id
	default:
		return errors.New(ctlUsage)
	}
	if err := r.post(ctx, command, body); err != nil {
		return err
	}
	return r.show(ctx, "status")
}

// room finds a room's id by its id or name.
func (r *remote) room(ctx context.Context, word string) (string, error) {
	if word == "all" {
		return word, nil
	}
	s, _, err := r.state(ctx)
	if err != nil {
		return "", err
	}
	var names []string
	for _, x := range s.Rooms {
		if x.ID == word || strings.EqualFold(x.Name, word) {
			return x.ID, nil
		}
		names = append(names, x.Name)
	}
	return "", fmt.Errorf("there is no room %q; there are: %s", word, strings.Join(names, ", "))
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
	if err != nil {
		return nil, err
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

// show prints one view of the state, in words or as JSON.
func (r *remote) show(ctx context.Context, what string) error {
	s, _, err := r.state(ctx)
	if err != nil {
		return err
	}
	if r.json {
		var view any = s
		switch what {
		case "rooms":
			view = s.Rooms
		case "spent":
			view = s.Spending
		}
		enc := json.NewEncoder(r.out)
		enc.SetIndent("", "  ")
		return enc.Encode(view)
	}
	w := tabwriter.NewWriter(r.out, 0, 4, 2, ' ', 0)
	switch what {
	case "rooms":
		printRooms(w, s)
	case "spent":
		printSpent(w, s)
	default:
		printStatus(w, s)
	}
	return w.Flush()
}

func printStatus(w io.Writer, s api.State) {
	for _, g := range s.Groups {
		fmt.Fprintf(w, "%s", g.Transport)
		if g.Current < len(g.Queue) {
			t := g.Queue[g.Current]
			at := time.Duration(g.PositionMs) * time.Millisecond
			fmt.Fprintf(w, "\t%q by %q\t%v of %v\t%s", t.Title, t.Artist, at.Round(time.Second),
				(time.Duration(t.LengthMs) * time.Millisecond).Round(time.Second), g.Rung)
		}
		if g.Why != "" {
			fmt.Fprintf(w, "\t%s", g.Why)
		}
		fmt.Fprintln(w)
	}
	if s.Notice != "" {
		fmt.Fprintln(w, s.Notice)
	}
	printRooms(w, s)
}

func printRooms(w io.Writer, s api.State) {
	for _, r := range s.Rooms {
		volume := fmt.Sprintf("%d %%", r.Volume)
		if r.Muted {
			volume += " muted"
		}
		why := r.Speaker.Why
		if r.Silent != "" {
			why = r.Silent
		}
		fmt.Fprintf(w, "  %s\t%s\t%s (%s)\t%s\t%s\n", r.ID, r.Name, r.Speaker.State, r.Speaker.Evidence, volume, why)
	}
}

func printSpent(w io.Writer, s api.State) {
	if s.Spending == nil {
		fmt.Fprintln(w, "the hub does not say")
		return
	}
	m := s.Spending
	for _, row := range []struct {
		name string
		msat int64
	}{
		{"today bought", m.DayBoughtMsat}, {"today heard", m.DayHeardMsat}, {"this hour", m.HourSpentMsat},
		{"in flight", m.InFlightMsat}, {"left", m.BalanceMsat}, {"cap per hour", m.HourCapMsat}, {"cap per day", m.DayCapMsat}, {"cap per room and day", m.RoomCapMsat},
	} {
		fmt.Fprintf(w, "%s\t%v\n", row.name, wallet.Msat(row.msat))
	}
}
