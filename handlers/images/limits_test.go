package images

import (
	"os"
	"reflect"
	"regexp"
	"strconv"
	"testing"
)

// TestLimits holds the README's table of limits to the defaults.
func TestLimits(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		text   string
		limits Limits
	}{
		{"20 MiB", Limits{MaxBytes: 20 << 20}},
		{"50 million; 16,384", Limits{MaxPixels: 50_000_000, MaxSide: 16_384}},
		{"131,072", Limits{MaxParts: 131_072}},
		{"100; 256, 200 million", Limits{MaxScans: 100, MaxFrames: 256, MaxFramePixels: 200_000_000}},
		{"256 MiB", Limits{MaxDecodedBytes: 256 << 20}},
		{"16 million; 32 MiB", Limits{MaxOutputPixels: 16_000_000, MaxOutputBytes: 32 << 20}},
	} {
		in, defaults := reflect.ValueOf(row.limits), reflect.ValueOf(Limits{}.withDefaults())
		line := `\| ` + regexp.QuoteMeta(row.text) + ` \|.*`
		for i := range in.NumField() {
			if in.Field(i).IsZero() {
				continue
			}
			name := in.Type().Field(i).Name
			if line += "images\\.Limits\\." + name + "`.*"; in.Field(i).Int() != defaults.Field(i).Int() {
				t.Errorf("%s is %s, here it is %s", name, strconv.FormatInt(defaults.Field(i).Int(), 10), strconv.FormatInt(in.Field(i).Int(), 10))
			}
		}
		if !regexp.MustCompile(line).Match(readme) {
			t.Errorf("the README has no line %s", line)
		}
	}
}
