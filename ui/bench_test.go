package ui

import (
	"testing"
	"time"

	"sonahub/ui/i18n"
	"sonahub/ui/part"
	"sonahub/ui/uitest"
)

// BenchmarkUpdate draws all live parts once: the cost of one change for one
// open page.
func BenchmarkUpdate(b *testing.B) {
	texts, err := i18n.Load()
	if err != nil {
		b.Fatal(err)
	}
	money := uitest.Purse()
	v := part.View{Language: texts.For("en"), Owner: true, House: uitest.Evening(time.Now()), Money: &money, Now: time.Now()}
	for range 6 {
		v.House.Library = append(v.House.Library, v.House.Library...)
	}
	var last drawn
	for b.Loop() {
		if _, err := last.update(b.Context(), v); err != nil {
			b.Fatal(err)
		}
	}
}
