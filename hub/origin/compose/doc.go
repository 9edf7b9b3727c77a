// Package compose writes the small album that the reference platform sells
// when nobody gave it any music: four short pieces of different rates,
// depths and lengths, with titles and covers, made of nothing but arithmetic.
//
// Every piece is a pure function of its score: the same machine renders the
// same samples each time. A piece is rendered in float64 (voices, a stereo
// reverb, a master stage that leaves 1.5 dB of headroom) and comes down to
// its depth through TPDF dither. It is stored as a tagged FLAC file and then
// ingested like anybody's music; nothing further down knows of this package.
package compose
