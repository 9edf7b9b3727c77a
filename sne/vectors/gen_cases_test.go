package vectors_test

import (
	"bytes"
	"strings"
)

// list collects the cases of one parser.
type list struct {
	parser string
	cases  []parseCase
}

func (l *list) add(ok bool, why string, edits ...edit) {
	l.cases = append(l.cases, parseCase{l.parser, why, ok, edits})
}

func (l *list) good(why string, edits ...edit) { l.add(true, why, edits...) }
func (l *list) bad(why string, edits ...edit)  { l.add(false, why, edits...) }

// set puts bytes in the place of as many.
func set(at int, put ...byte) edit { return edit{At: at, Del: len(put), Put: put} }

// behind adds bytes at the end.
func behind(put ...byte) edit { return edit{At: -1, Put: put} }

func objectCases() []parseCase {
	var out []parseCase
	for _, l := range []*list{bundleCases(), recordCases(), consistencyCases(), payloadCases(), keySetCases()} {
		l.bad("trailing byte", behind(0))
		out = append(out, l.cases...)
	}
	return out
}

func bundleCases() *list {
	l := &list{parser: "bundle"}
	// ver 0, reserved 1, suite 2, seq 4, min_seq 12, not_before 20, not_after 28, host 36
	host := 13 // "music.example"
	nodes := 38 + host + 1984 + 1216 + 1984
	sets := nodes + 1 + 33
	dead := sets + 1 + 32
	l.good("as it is")
	l.bad("version 0", set(0, 0))
	l.bad("version 2", set(0, 2))
	l.bad("reserved byte", set(1, 1))
	l.bad("suite 0", set(2, 0, 0))
	l.bad("suite 2", set(2, 0, 2))
	l.bad("seq below min_seq", set(4, 0, 0, 0, 0, 0, 0, 0, 4))
	l.bad("lives a ms longer than 8 days", edit{At: 28, Del: 8, Put: be64(noon + 7*day + 1)})
	l.good("lives 8 days", edit{At: 28, Del: 8, Put: be64(noon + 7*day)})
	l.bad("ends before it begins", edit{At: 28, Del: 8, Put: be64(noon - day - 1)})
	l.bad("no host", edit{At: 36, Del: 2 + host, Put: hx{0, 0}})
	l.bad("host is not UTF-8", set(38, 0xff))
	l.good("host of 255 bytes", edit{At: 36, Del: 2 + host, Put: u16(255)}, edit{At: 38, Put: hx("a"), Rep: 255})
	l.bad("host of 256 bytes", edit{At: 36, Del: 2 + host, Put: u16(256)}, edit{At: 38, Put: hx("a"), Rep: 256})
	l.bad("host longer than the rest", edit{At: 36, Del: 2, Put: u16(0xffff)})
	l.bad("another root key", edit{At: 38 + host, Del: 1, Put: hx{0}}, edit{At: 38 + host + 1, Del: 1, Put: hx{1}})
	l.good("4 Lightning nodes", set(nodes, 4), edit{At: sets, Put: hx{3}, Rep: 3 * 33})
	l.bad("5 Lightning nodes", set(nodes, 5), edit{At: sets, Put: hx{3}, Rep: 4 * 33})
	l.good("4 key sets", set(sets, 4), edit{At: dead, Put: hx{3}, Rep: 3 * 32})
	l.bad("5 key sets", set(sets, 5), edit{At: dead, Put: hx{3}, Rep: 4 * 32})
	l.good("255 dead creators", set(dead, 255), edit{At: -1, Put: hx{3}, Rep: 254 * 32})
	l.bad("one dead creator more than said", edit{At: -1, Put: hx{3}, Rep: 32})
	l.bad("one dead creator less than said", set(dead, 2))
	l.good("no lists at all", edit{At: nodes, Del: 1 + 33 + 1 + 32 + 1 + 32, Put: hx{0, 0, 0}})
	return l
}

func be64(v uint64) hx { return append(u32(int(v>>32)), u32(int(v&0xffffffff))...) }

func recordCases() *list {
	l := &list{parser: "record"}
	// ver 0, ectx 1, frames 43, commit 47, n_r 79, renditions of 43 B: r, codec, bits_per_s, object_len, sha256
	l.good("as it is")
	l.bad("version", set(0, 0))
	l.bad("no frames", set(43, 0, 0, 0, 0))
	l.bad("no renditions", set(79, 0), edit{At: 80, Del: 86})
	l.bad("renditions out of order", set(80, 0, 9), set(123, 0, 1))
	l.bad("one rendition twice", set(123, 0, 1))
	l.bad("object of 88 bytes", edit{At: 87, Del: 4, Put: u32(88)})
	l.good("object of 89 bytes", edit{At: 87, Del: 4, Put: u32(89)})
	l.good("object of 8 MiB + 88", edit{At: 87, Del: 4, Put: u32(8<<20 + 88)})
	l.bad("object of 8 MiB + 89", edit{At: 87, Del: 4, Put: u32(8<<20 + 89)})
	many := func(n int) []edit {
		var all []byte
		for i := range n {
			all = append(all, bytes.Join([][]byte{u16(i + 10), {1}, u32(1), u32(100), make([]byte, 32)}, nil)...)
		}
		return []edit{set(79, byte(n)), {At: 80, Del: 86, Put: all}}
	}
	l.good("16 renditions", many(16)...)
	l.bad("17 renditions", many(17)...)
	l.bad("one rendition less than said", set(79, 3))
	l.good("a codec of the future", set(82, 200))
	return l
}

func consistencyCases() *list {
	l := &list{parser: "consistency"}
	l.good("as it is")
	l.good("empty path", edit{At: 0, Del: 33, Put: hx{0}})
	l.good("64 hashes", set(0, 64), edit{At: -1, Put: hx{1}, Rep: 63 * 32})
	l.bad("65 hashes", set(0, 65), edit{At: -1, Put: hx{1}, Rep: 64 * 32})
	l.bad("one hash less than said", set(0, 2))
	return l
}

func payloadCases() *list {
	l := &list{parser: "payload"}
	// ver 0, codec 1, channels 2, bits 3, rate 4, frames 8, pre_skip 12, n_packets 14, packets 16
	l.good("as it is")
	l.bad("version", set(0, 0))
	l.bad("codec 0", set(1, 0))
	l.bad("codec 4", set(1, 4))
	l.bad("no channels", set(2, 0))
	l.good("8 channels", set(2, 8))
	l.bad("9 channels", set(2, 9))
	l.bad("0 bits", set(3, 0))
	l.good("32 bits", set(3, 32))
	l.bad("33 bits", set(3, 33))
	l.bad("rate 0", edit{At: 4, Del: 4, Put: u32(0)})
	l.good("192000 Hz", edit{At: 4, Del: 4, Put: u32(192000)})
	l.bad("192050 Hz", edit{At: 4, Del: 4, Put: u32(192050)})
	l.bad("rate not divisible by 50", edit{At: 4, Del: 4, Put: u32(44101)})
	l.bad("no frames", edit{At: 8, Del: 4, Put: u32(0)})
	l.good("10 s", edit{At: 8, Del: 4, Put: u32(480000)})
	l.bad("a frame over 10 s", edit{At: 8, Del: 4, Put: u32(480001)})
	l.bad("no packets", edit{At: 14, Del: 9, Put: hx{0, 0}})
	l.bad("empty packet", edit{At: 16, Del: 7, Put: hx{0, 0}})
	l.good("packet of 65535 bytes", edit{At: 16, Del: 7, Put: hx{0xff, 0xff}}, edit{At: -1, Put: hx{7}, Rep: 65535})
	l.bad("more packets than bytes", set(14, 0xff, 0xff))
	l.good("65535 packets", set(14, 0xff, 0xff), edit{At: 16, Del: 7}, edit{At: 16, Put: hx{0, 1, 7}, Rep: 65535})
	return l
}

func keySetCases() *list {
	l := &list{parser: "keyset"}
	// ver 0, reserved 1, unit 2, issue 4, redeem 12, n 20, keys 21 of 33 B
	l.good("as it is")
	l.bad("version", set(0, 2))
	l.bad("reserved byte", set(1, 1))
	l.bad("unit of 0 msat", set(2, 0, 0))
	l.bad("no keys", set(20, 0), edit{At: 21, Del: 6 * 33})
	l.bad("denominations out of order", set(21, 1), set(54, 0))
	l.bad("one denomination twice", set(54, 0))
	l.bad("identity element", edit{At: 22, Del: 32, Put: make(hx, 32)})
	l.good("denomination 23", set(21+5*33, 23))
	l.bad("denomination 24", set(21+5*33, 24))
	keys := func(n int) []edit {
		var all []byte
		for i := range n {
			all = append(append(all, byte(i)), bytes.Repeat([]byte{1}, 32)...)
		}
		return []edit{set(20, byte(n)), {At: 21, Del: 6 * 33, Put: all}}
	}
	l.good("24 keys", keys(24)...)
	l.bad("25 keys", keys(25)...)
	return l
}

func messageCases() []parseCase {
	var out []parseCase
	lists := []*list{helloCases(), welcomeCases(), grantCases(), topUpCases(), tokensCases(), voucherCases(), errorCases(), pointCases("blinds", 0), pointCases("evals", 64), redeemCases(), liveCases(), liveIsCases(), offerCases()}
	for _, l := range lists {
		if l.parser != "topup" { // whose rail body goes to the end
			l.bad("trailing byte", behind(0))
		}
		out = append(out, l.cases...)
	}
	return append(append(out, frameCases().cases...), buyCases().cases...)
}

func frameCases() *list {
	l := &list{parser: "messages"}
	l.good("as it is")
	l.good("padding alone", edit{At: 0, Del: 8})
	l.good("nothing", edit{At: 0, Del: 18})
	l.good("no padding", edit{At: 8, Del: 10})
	l.good("unknown kind", set(0, 99))
	l.bad("padding is not zero", set(17, 1))
	l.bad("a frame behind the padding", edit{At: -1, Put: hx{1, 0, 1, 0, 0, 0, 0}})
	l.bad("length over the rest", set(6, 12))
	l.bad("length of 4 GiB", set(3, 0xff, 0xff, 0xff, 0xff))
	l.bad("head cut", edit{At: 8, Del: 10}, behind(1, 0, 2))
	return l
}

func helloCases() *list {
	l := &list{parser: "hello"}
	one := hx{1, 0, 3, 9, 9, 9}
	l.good("as it is")
	l.good("no credentials", edit{At: 0, Del: 7, Put: hx{0}})
	l.good("4 credentials", edit{At: 0, Del: 7, Put: hx{4}}, edit{At: -1, Put: one, Rep: 4})
	l.bad("5 credentials", edit{At: 0, Del: 7, Put: hx{5}}, edit{At: -1, Put: one, Rep: 5})
	l.good("credential of 4096 bytes", edit{At: 2, Del: 5, Put: u16(4096)}, edit{At: -1, Put: hx{7}, Rep: 4096})
	l.bad("credential of 4097 bytes", edit{At: 2, Del: 5, Put: u16(4097)}, edit{At: -1, Put: hx{7}, Rep: 4097})
	return l
}

func welcomeCases() *list {
	l := &list{parser: "welcome"}
	// trust 0, max 1, time 3, n 11, edges 12
	one := hx("\x00\x01e")
	l.good("as it is")
	l.good("no edges", edit{At: 11, Del: 12, Put: hx{0}})
	l.good("8 edges", edit{At: 11, Del: 12, Put: hx{8}}, edit{At: -1, Put: one, Rep: 8})
	l.bad("9 edges", edit{At: 11, Del: 12, Put: hx{9}}, edit{At: -1, Put: one, Rep: 9})
	l.good("edge of 255 bytes", edit{At: 12, Del: 11, Put: u16(255)}, edit{At: -1, Put: hx("e"), Rep: 255})
	l.bad("edge of 256 bytes", edit{At: 12, Del: 11, Put: u16(256)}, edit{At: -1, Put: hx("e"), Rep: 256})
	l.bad("edge is not UTF-8", set(14, 0xff))
	return l
}

func buyCases() *list {
	l := &list{parser: "buy"}
	// rail 0, b 1, tier 33, first 35, n 43, rail body 44
	l.good("as it is")
	l.good("rail body that nobody looks into", behind(1, 2, 3))
	l.bad("no epochs", set(43, 0))
	l.good("30 epochs", set(43, 30))
	l.bad("31 epochs", set(43, 31))
	l.good("as late as can be", edit{At: 35, Del: 8, Put: be64(1<<64 - 1 - 30)})
	l.bad("range over the end of numbers", edit{At: 35, Del: 8, Put: be64(1<<64 - 30)})
	return l
}

func grantCases() *list {
	l := &list{parser: "grant"}
	// Range 0, amount 43, n 51, shares of 9 B 52, ES 70, Evals 102
	l.good("as it is")
	l.bad("no epochs", set(42, 0))
	l.bad("31 epochs", set(42, 31), edit{At: 70, Put: hx{1}, Rep: 30 * 32})
	l.good("30 epochs", set(42, 30), edit{At: 70, Put: hx{1}, Rep: 29 * 32})
	l.bad("a key less than epochs", set(42, 2))
	l.bad("roles out of order", set(52, 2), set(61, 1))
	l.bad("one role twice", set(61, 1))
	l.bad("shares fall short of the amount", set(69, 0x2b))
	l.bad("shares exceed the amount", set(69, 0x2d))
	l.bad("shares wrap around to the amount", edit{At: 53, Del: 8, Put: be64(1<<64 - 1)}, edit{At: 62, Del: 8, Put: be64(901)})
	l.good("no shares", set(51, 0), edit{At: 52, Del: 18})
	shares := func(n int) []edit {
		var all []byte
		for i := range n {
			all = append(append(all, byte(i+1)), be64(100)...)
		}
		return []edit{{At: 43, Del: 8, Put: be64(uint64(n) * 100)}, set(51, byte(n)), {At: 52, Del: 18, Put: all}}
	}
	l.good("8 shares", shares(8)...)
	l.bad("9 shares", shares(9)...)
	l.good("no change", edit{At: 102, Del: 99, Put: hx{0}})
	l.bad("change is missing", edit{At: 102, Del: 99})
	return l
}

func topUpCases() *list {
	l := &list{parser: "topup"}
	// rail 0, keyset 1, Blinds 33: g, denom, m, point 36; rail body 68
	l.good("as it is")
	l.good("no blinds", edit{At: 33, Del: 35, Put: hx{0}})
	l.bad("identity element", edit{At: 36, Del: 32, Put: make(hx, 32)})
	l.bad("blinds cut", edit{At: 60, Del: 41})
	return l
}

func tokensCases() *list {
	l := &list{parser: "tokens"}
	l.good("as it is")
	l.good("no evaluations", edit{At: 32, Del: 99, Put: hx{0}})
	l.bad("evaluations are missing", edit{At: 32, Del: 99})
	return l
}

func voucherCases() *list {
	l := &list{parser: "voucher"}
	code := func(s string) edit { return edit{At: 0, Del: 33, Put: append(u16(len(s)), s...)} }
	tail := strings.Repeat("a", 26)
	l.good("as it is")
	l.bad("leading zero", code("01000-"+tail))
	l.bad("no units", code("-"+tail))
	l.bad("units 0", code("0-"+tail))
	l.bad("units are no number", code("1k-"+tail))
	l.bad("no dash", code("1000"+tail))
	l.bad("secret of 25 characters", code("1000-"+tail[1:]))
	l.bad("secret in capitals", code("1000-"+strings.ToUpper(tail)))
	l.bad("stray bits in the secret", code("1000-"+tail[1:]+"b"))
	l.bad("65 bytes", code(strings.Repeat("1", 38)+"-"+tail))
	l.bad("empty", code(""))
	return l
}

func errorCases() *list {
	l := &list{parser: "error"}
	l.good("as it is")
	l.good("a code of the future", set(0, 0xff, 0xff))
	return l
}

// pointCases are those of Blinds and of Evals, whose groups end with a proof.
func pointCases(parser string, proof int) *list {
	l := &list{parser: parser}
	group := func(denom byte, m int) []byte {
		b := append([]byte{denom, byte(m)}, bytes.Repeat([]byte{1}, 32*m)...)
		return append(b, make([]byte, proof)...)
	}
	whole := func(groups ...[]byte) edit {
		return edit{At: 0, Del: 35 + proof, Put: append([]byte{byte(len(groups))}, bytes.Join(groups, nil)...)}
	}
	l.good("as it is")
	l.good("none", whole())
	l.good("two groups", whole(group(0, 1), group(23, 2)))
	l.bad("groups out of order", whole(group(2, 1), group(1, 1)))
	l.bad("one denomination twice", whole(group(2, 1), group(2, 1)))
	l.bad("denomination 24", whole(group(24, 1)))
	l.bad("empty group", whole(group(1, 0)))
	l.bad("identity element", edit{At: 3, Del: 32, Put: make(hx, 32)})
	l.good("64 points", whole(group(1, 60), group(2, 4)))
	l.bad("65 points", whole(group(1, 60), group(2, 5)))
	l.bad("a group less than said", set(0, 2))
	l.bad("a point less than said", set(2, 2))
	return l
}

func redeemCases() *list {
	l := &list{parser: "redeem"}
	// keyset 0, g 32, denom 33, m 34, t 35, y 67; keyset 131, Blinds 163
	l.good("as it is")
	l.good("32 tokens", set(34, 32), edit{At: 131, Put: hx{7}, Rep: 31 * 96})
	l.bad("33 tokens", set(34, 33), edit{At: 131, Put: hx{7}, Rep: 32 * 96})
	l.bad("empty group", set(34, 0), edit{At: 35, Del: 96})
	l.bad("denomination 24", set(33, 24))
	l.bad("change is missing", edit{At: 163, Del: 1})
	return l
}

func liveCases() *list {
	l := &list{parser: "live"}
	l.good("as it is")
	return l
}

func liveIsCases() *list {
	l := &list{parser: "live_is"}
	// b 0, tier 32, flags 34, tree_size 35, root 43, first_for_sale 75
	l.good("as it is")
	l.good("closed", set(34, 1))
	l.bad("unknown flag", set(34, 2))
	l.good("nothing for sale", set(82, 9))
	l.bad("sale begins behind the edge", set(82, 10))
	l.good("nothing there", set(42, 0), set(82, 0))
	return l
}

func offerCases() *list {
	l := &list{parser: "offer"}
	// tbs 0, sig 3, bolt11 3376
	l.good("as it is")
	l.good("tbs of 16384 bytes", edit{At: 0, Del: 3, Put: u16(16384)}, edit{At: 2, Put: hx{9}, Rep: 16384})
	l.bad("tbs of 16385 bytes", edit{At: 0, Del: 3, Put: u16(16385)}, edit{At: 2, Put: hx{9}, Rep: 16385})
	l.good("invoice of 2048 bytes", edit{At: 3376, Del: 7, Put: u16(2048)}, edit{At: -1, Put: hx("l"), Rep: 2048})
	l.bad("invoice of 2049 bytes", edit{At: 3376, Del: 7, Put: u16(2049)}, edit{At: -1, Put: hx("l"), Rep: 2049})
	l.bad("invoice is not UTF-8", set(3378, 0xff))
	l.bad("invoice is missing", edit{At: 3376, Del: 7})
	return l
}
