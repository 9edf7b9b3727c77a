// Package airplay is the laboratory of real AirPlay rooms: shairport-sync out
// of a Debian tree, each room a host of its own on a private switch, with what
// it plays recorded sample by sample.
//
// Main runs a test binary as the hub's machine inside namespaces of its own,
// so that whatever happens nothing of the real network is touched and nothing
// is left behind. Start brings rooms up, Capture records them, Compare judges.
// Everything that it needs beyond root it installs from Debian.
package airplay
