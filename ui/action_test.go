package ui

import (
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"sonahub/hub/api"
	"sonahub/hub/room"
	"sonahub/ui/uitest"
)

// press is what one button of the page sends.
type press struct {
	path   string
	values url.Values
}

// presses walks a page and presses every button in thought.
func presses(t *testing.T, page string) []press {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	attr := func(n *html.Node, name string) string {
		i := slices.IndexFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
		if i < 0 {
			return ""
		}
		return n.Attr[i].Val
	}
	var all []press
	for form := range root.Descendants() {
		if form.Data != "form" {
			continue
		}
		if attr(form, "method") != "post" {
			t.Errorf("a form that does not post: %v", form.Attr)
		}
		fields := url.Values{}
		var buttons []*html.Node
		for n := range form.Descendants() {
			switch {
			case n.Data == "button":
				buttons = append(buttons, n)
			case n.Data == "input" && attr(n, "name") != "":
				fields.Add(attr(n, "name"), attr(n, "value"))
			}
		}
		if len(buttons) == 0 {
			continue
		}
		for _, b := range buttons {
			at, values := attr(form, "action"), url.Values{}
			if f := attr(b, "formaction"); f != "" {
				at = f
			}
			u, err := url.Parse(at)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range u.Query() {
				values[k] = v
			}
			for k, v := range fields {
				values[k] = append(values[k], v...)
			}
			if attr(b, "name") != "" {
				values.Add(attr(b, "name"), attr(b, "value"))
			}
			all = append(all, press{u.Path, values})
		}
	}
	return all
}

// TestEveryActionIsInTheAPI presses every button of every canned house: the
// page understands it, and the API's command of that name with fields of the
// same names becomes the same room.Command. In the end every command of the
// API was on the page.
func TestEveryActionIsInTheAPI(t *testing.T) {
	seen := map[string]bool{}
	for _, house := range []room.House{uitest.Evening(time.Now()), uitest.Morning(), uitest.Trouble()} {
		r := open(t, house, true)
		_, _, page := r.get("/", "")
		for _, p := range presses(t, page) {
			name, ok := strings.CutPrefix(p.path, "/do/")
			if !ok {
				if p.path != "/leave" && p.path != "/enter" {
					t.Errorf("a button posts to %s", p.path)
				}
				continue
			}
			i := slices.IndexFunc(forms(), func(f form) bool { return f.name == name })
			if i < 0 {
				t.Errorf("the page does not understand its own %s", p.path)
				continue
			}
			mine, err := forms()[i].command(p.values)
			if err != nil {
				t.Errorf("%s %v: %v", p.path, p.values, err)
				continue
			}
			theirs, err := api.Decode(name, asJSON(t, p.values))
			if err != nil || !reflect.DeepEqual(mine, theirs) {
				t.Errorf("%s %v: the API makes %+v of it (%v), the page %+v", p.path, p.values, theirs, err, mine)
			}
			seen[name] = true
		}
	}
	for _, name := range api.Commands() {
		if !seen[name] {
			t.Errorf("the page has no button for %s", name)
		}
	}
}

// asJSON says a form's fields as the body of an API command.
func asJSON(t *testing.T, values url.Values) []byte {
	t.Helper()
	body := map[string]any{}
	for k, v := range values {
		switch {
		case k == "tracks":
			body[k] = v
		case v[0] == "true" || v[0] == "false":
			body[k] = v[0] == "true"
		case k == "to_ms" || k == "index" || k == "percent":
			body[k] = json.Number(v[0])
		default:
			body[k] = v[0]
		}
	}
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
