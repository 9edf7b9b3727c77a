package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"sonahub/hub/origin"
	"sonahub/hub/origin/keyring"
	"sonahub/hub/origin/live"
	"sonahub/sne/wire"
)

// broadcast is what the flags say of stations.
type broadcast struct {
	Stations   []station
	LiveWindow time.Duration
}

type station struct{ Name, Playlist string }

func (b *broadcast) flags(f *flag.FlagSet) {
	f.Func("station", "NAME=PLAYLIST: a live station that plays a folder or an .m3u file below the music folder, or with NAME alone all of it; may be repeated", func(v string) error {
		name, playlist, _ := strings.Cut(v, "=")
		if name == "" {
			return errors.New("a station needs a name")
		}
		b.Stations = append(b.Stations, station{name, playlist})
		return nil
	})
	f.DurationVar(&b.LiveWindow, "live-window", 10*time.Minute, "how long an epoch of a station is for sale; then its key is erased")
}

func (b *broadcast) plans() []live.Plan {
	var plans []live.Plan
	for _, s := range b.Stations {
		plans = append(plans, live.Plan{Name: s.Name, Playlist: s.Playlist, Window: b.LiveWindow})
	}
	return plans
}

// revocation is what the flags want revoked.
type revocation struct {
	RevokeCreators []wire.ID
	RevokeKeys     bool
}

func (r *revocation) flags(f *flag.FlagSet) {
	f.Func("revoke-creator", "KeyID of a creator whose signature is never to be believed again; may be repeated", func(v string) error {
		id, err := wire.ParseID(v)
		r.RevokeCreators = append(r.RevokeCreators, id)
		return err
	})
	f.BoolVar(&r.RevokeKeys, "revoke-keys", false, "replace the keys of the shop now and kill all older ones, for when they were stolen")
}

// carryOut revokes, if anything is to be revoked.
func (r *revocation) carryOut(o *origin.Origin) error {
	if len(r.RevokeCreators) == 0 && !r.RevokeKeys {
		return nil
	}
	if err := o.Revoke(keyring.Revocation{Creators: r.RevokeCreators, Keys: r.RevokeKeys}); err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	return nil
}
