package app

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sonahub/wallet"
)

// someOrigin is the URL of a platform that nobody asks.
const someOrigin = "sne://127.0.0.1:7680/" + "zy43j6kuhcysdm2qfyupd5ziu6axfq6nxyxmfxms42o3tpuhykka"

func load(t *testing.T, text string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hub.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := DefaultConfig()
	err := LoadConfig(path, &c)
	return c, err
}

// TestConfigPrintsTheFileThatGivesIt fills every field with a value that is
// not its default; a field without a toml name would not survive.
func TestConfigPrintsTheFileThatGivesIt(t *testing.T) {
	want := DefaultConfig()
	v := reflect.ValueOf(&want).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(`a "quoted" value of ` + v.Type().Field(i).Name)
		case reflect.Bool:
			f.SetBool(!f.Bool())
		case reflect.Int, reflect.Int64:
			f.SetInt(int64(7 + i))
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{"one", "two, three"}))
		default:
			t.Fatalf("the test knows no %v", f.Kind())
		}
	}
	var text bytes.Buffer
	if err := want.Print(&text); err != nil {
		t.Fatal(err)
	}
	got, err := load(t, text.String())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v\nby\n%s", got, want, &text)
	}
}

// TestConfigFile keeps what the file does not name and refuses what the hub
// does not know, by its name.
func TestConfigFile(t *testing.T) {
	c, err := load(t, "listen = '127.0.0.1:1'\nrooms = ['all']\n")
	if err != nil || c.Listen != "127.0.0.1:1" || c.Name != "Sona Hub" || !c.Jack || len(c.Rooms) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	for text, want := range map[string]string{
		"volume = 3":                       `"volume"`,
		"[rooms]\nkitchen = 1":             "rooms",
		"virtual = 'two'":                  "virtual",
		"listen = ":                        "line 1",
		"# " + strings.Repeat("x", 70<<10): "longer than",
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "hub.toml") {
			t.Errorf("%.20q: %v; want the file and %s in it", text, err, want)
		}
	}
	if err := LoadConfig(filepath.Join(t.TempDir(), "none.toml"), &c); err == nil {
		t.Error("a file that is not there was read")
	}
}

func TestConfigCheck(t *testing.T) {
	good := Config{Origin: someOrigin, State: t.TempDir()}
	for name, c := range map[string]struct {
		change func(*Config)
		want   string // part of the error
	}{
		"no origin":           {func(c *Config) { c.Origin = "" }, "--origin"},
		"not a platform":      {func(c *Config) { c.Origin = "http://example.org" }, "origin"},
		"listen without port": {func(c *Config) { c.Listen = "localhost" }, "listen"},
		"too many rooms":      {func(c *Config) { c.Virtual = 1e9 }, "virtual"},
		"negative rooms":      {func(c *Config) { c.Virtual = -2 }, "virtual"},
		"speaker, no port":    {func(c *Config) { c.Speakers = []string{"Kitchen=10.0.0.5"} }, "name=host:port"},
		"speaker, port 0":     {func(c *Config) { c.Speakers = []string{"Kitchen=10.0.0.5:0"} }, "65535"},
		"speaker, no host":    {func(c *Config) { c.Speakers = []string{":5000"} }, "host"},
		"many speakers":       {func(c *Config) { c.Speakers = make([]string, 65) }, "at most"},
		"cap below zero":      {func(c *Config) { c.DayCapSat = -1 }, "day_cap_sat"},
		"cap beyond money":    {func(c *Config) { c.RoomCapSat = 1e9 + 1 }, "room_cap_sat"},
	} {
		bad := good
		c.change(&bad)
		if err := bad.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q in it", name, err, c.want)
		}
	}
	good.Rooms, good.Speakers, good.HourCapSat, good.Name = []string{" Kitchen ", "ALL"}, []string{"Den=10.0.0.5:5000", "10.0.0.6:7000"}, 3, "\x1b[31mHome\n"
	c, err := good.check()
	if err != nil {
		t.Fatal(err)
	}
	if !c.Plain || !c.all || !c.room["kitchen"] || c.Listen != ":8080" || c.Name != "[31mHome" {
		t.Errorf("%+v", c)
	}
	if want := []manual{{"Den", "10.0.0.5:5000"}, {"10.0.0.6:7000", "10.0.0.6:7000"}}; !reflect.DeepEqual(c.speakers, want) {
		t.Errorf("speakers %v, want %v", c.speakers, want)
	}
	caps := wallet.DefaultCaps()
	caps.Hour = 3000
	if c.caps != caps {
		t.Errorf("caps %+v, want %+v", c.caps, caps)
	}
}
