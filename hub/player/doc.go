// Package player plays one group: source -> gain -> timeline -> outputs.
//
// The player owns pacing. By the hub's clock it keeps every output filled to
// the group's lead plus two seconds, and no output holds it back. It keeps
// what nobody has heard yet (and two seconds more), so that a pause, a late
// join or a re-join buys nothing twice. Tracks of one format follow each
// other without a gap; a change of format begins a new run at the instant the
// old one ends.
//
// One goroutine, the conductor, owns all state; the reader goroutine opens
// and reads tracks, and joins run beside it. At unity gain the conductor hands
// the source's own samples on: only a fade touches them.
package player
