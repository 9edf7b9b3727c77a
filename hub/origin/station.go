package origin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	"sonahub/hub/origin/books"
	"sonahub/hub/origin/keyring"
	"sonahub/hub/origin/live"
	"sonahub/hub/origin/publish"
	"sonahub/sne/catalog"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/resource"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

// openStations opens the stations of the configuration. Their keys lie apart
// from those that run the shop, under the same kind of lock.
func (o *Origin) openStations(ctx context.Context) error {
	var err error
	if o.creators, err = live.OpenChain(ctx, filepath.Join(o.c.State, "stations.keys"), o.c.Keys.Locks()); err != nil {
		return err
	}
	o.stations, err = live.Open(ctx, live.Config{
		Path: filepath.Join(o.c.State, "stations.db"), Music: o.musicFolder, Shelf: o.shelf, Press: o.ingester.Press, Root: o.ring.Root(),
		Creators: o.creators, Dead: o.ring.Dead, Clock: o.c.Clock, Changed: o.catalog.touch, Log: o.c.Logger,
	}, o.c.Stations)
	return err
}

// musicFolder is the music folder without symbolic links, as the shelf names
// files.
func (o *Origin) musicFolder() string {
	if root, err := filepath.EvalSymlinks(o.ingester.Music); err == nil {
		return root
	}
	return o.ingester.Music
}

// stationItems lists the stations that are on the air.
func (o *Origin) stationItems(t publish.Terms) []catalog.Item {
	var items []catalog.Item
	for _, s := range o.stations.All() {
		h, _ := s.Head()
		if h == nil {
			continue
		}
		items = append(items, catalog.Item{
			ID: h.Broadcast, Kind: catalog.KindLive, Title: s.Name(), Creator: h.Creator,
			Tiers: []catalog.Tier{{
				Tier: live.Tier, Name: fmt.Sprintf("FLAC %d bit, live", h.Bits), PriceMsatS: int64(t.Lossless),
				Renditions: []catalog.Rendition{{R: 1, Codec: segment.CodecFLAC.String(), Rate: int(h.Rate), Bits: int(h.Bits), Ch: int(h.Channels)}},
			}},
		})
	}
	return items
}

// stationBody returns the small resources of a station.
func stationBody(ctx context.Context, s *live.Station, res resource.Resource) ([]byte, error) {
	h, signed := s.Head()
	if h == nil || res.Tier != live.Tier {
		return nil, code(http.StatusNotFound)
	}
	var body []byte
	var err error
	switch res.Kind {
	case resource.Head:
		return signed, nil
	case resource.Records:
		body, err = s.Records(ctx, res.Size, res.First, int(res.N))
	case resource.Consistency:
		body, err = s.Consistency(ctx, res.First, res.Size)
	default:
		err = live.ErrGone
	}
	if errors.Is(err, live.ErrGone) || errors.Is(err, manifest.ErrRecord) {
		return nil, code(http.StatusNotFound)
	}
	return body, err
}

// live answers a LIVE.
func (o *Origin) live(body []byte) (message.Kind, []byte, error) {
	ask, err := message.ParseLive(body)
	if err != nil {
		return 0, nil, refusal(message.CodeBadRequest)
	}
	s := o.stations.Get(ask.Broadcast)
	if s == nil || ask.Tier != live.Tier {
		return 0, nil, refusal(message.CodeNotFound)
	}
	edge := s.Edge()
	if edge == nil {
		return 0, nil, refusal(message.CodeNotFound)
	}
	out, err := edge.Marshal()
	return message.KindLiveIs, out, err
}

// stationPrice returns what a Range of a station costs now. One that has left
// the sale window is not found: its money is untouched, which ERROR 7 would not
// say.
func (o *Origin) stationPrice(s *live.Station, g message.Range) (*books.Goods, error) {
	h, _ := s.Head()
	if h == nil || g.Tier != live.Tier {
		return nil, refusal(message.CodeNotFound)
	}
	frames, err := s.Sells(g.First, int(g.N))
	switch {
	case errors.Is(err, live.ErrNotYet):
		return nil, refusal(message.CodeNotYet)
	case err != nil:
		return nil, refusal(message.CodeNotFound)
	}
	return o.goods(g, frames, h)
}

// stationKeys reads the keys of a Range. A purchase that is shown again after
// the sale window has lost them.
func stationKeys(ctx context.Context, s *live.Station, g message.Range, keys []kdf.Secret) error {
	err := s.Secrets(ctx, g.First, keys)
	if errors.Is(err, live.ErrGone) {
		eraseKeys(keys)
		return refusal(message.CodeGone)
	}
	return err
}

// Revoke publishes at once that creators or all keys so far are not to be
// believed any more. Stations of a revoked creator end; with Keys every session
// ends, and hubs come back under the new Bundle.
func (o *Origin) Revoke(v keyring.Revocation) error {
	if err := o.ring.Revoke(o.c.Clock(), v); err != nil {
		return err
	}
	if v.Keys {
		o.sessions.Close()
	}
	o.catalog.touch()
	return nil
}

// Creator is the KeyID of the key that signs the Heads of all tracks.
func (o *Origin) Creator() wire.ID { return o.ring.Creator().Public().KeyID() }

// Station returns the KeyID of a station's creator, by its name.
func (o *Origin) Station(name string) (creator wire.ID, ok bool) {
	for _, s := range o.stations.All() {
		if s.Name() == name {
			return s.Public().KeyID(), true
		}
	}
	return wire.ID{}, false
}
