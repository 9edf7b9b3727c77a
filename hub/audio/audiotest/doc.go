// Package audiotest makes signals for tests and judges what became of them:
// sines, noise and plucks; a SINAD meter; clocks that a test drives; sources
// over samples; hashes of sound.
//
// Everything is deterministic. Float samples have full scale +-1; integer
// samples are interleaved and right-justified, as in audio.Block.
package audiotest
