package console

import (
	"flag"
	"strings"

	"sonahub/hub/app"
)

// list is a flag that takes several values, separated by commas or given
// more than once. The first replaces what was set before.
type list struct {
	to  *[]string
	set *bool
}

func newList(to *[]string) list { return list{to, new(bool)} }

func (l list) String() string {
	if l.to == nil {
		return ""
	}
	return strings.Join(*l.to, ",")
}

func (l list) Set(s string) error {
	if !*l.set {
		*l.to, *l.set = nil, true
	}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			*l.to = append(*l.to, part)
		}
	}
	return nil
}

// HubFlags puts the settings of a hub on a flag set; they win over the file.
func HubFlags(fs *flag.FlagSet, c *app.Config) {
	fs.StringVar(&c.Name, "name", c.Name, "name of the house")
	fs.StringVar(&c.State, "state", c.State, "folder for everything the hub keeps (default ~/.local/share/sonahub)")
	fs.StringVar(&c.Listen, "listen", c.Listen, "address of the page")
	fs.Var(newList(&c.Rooms), "rooms", "rooms that get the music when first seen, or \"all\"")
	fs.BoolVar(&c.Play, "play", c.Play, "start playing by itself")
	fs.BoolVar(&c.Jack, "jack", c.Jack, "use this machine's sound card")
	fs.IntVar(&c.Virtual, "virtual", c.Virtual, "number of virtual rooms; -1 = two if there is nothing else")
	fs.BoolVar(&c.Record, "record", c.Record, "virtual rooms write WAV files below the state folder")
	fs.BoolVar(&c.Discover, "discover", c.Discover, "look for AirPlay speakers")
	fs.Var(newList(&c.Speakers), "speaker", "an AirPlay speaker by address, name=host:port; may be repeated")
	fs.Int64Var(&c.HourCapSat, "hour-cap", c.HourCapSat, "spending cap of the house per hour in sat (0 = default)")
	fs.Int64Var(&c.DayCapSat, "day-cap", c.DayCapSat, "spending cap of the house per day in sat (0 = default)")
	fs.Int64Var(&c.RoomCapSat, "room-cap", c.RoomCapSat, "spending cap of a room per day in sat (0 = default)")
}
