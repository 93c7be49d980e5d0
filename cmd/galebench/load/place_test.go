package load

import (
	"errors"
	"fmt"
	"testing"
)

// What is not the next message, once and whole, is an error.
func TestPlace(t *testing.T) {
	s, err := newStamp(40)
	if err != nil {
		t.Fatal(err)
	}
	message := func(epoch string, offset uint64, data []byte) string {
		return fmt.Sprintf(`{"message":{"channel":"storm","epoch":"%s","offset":%d,"data":%s}}`, epoch, offset, data)
	}
	for _, c := range []struct {
		name  string
		text  string
		wrong bool
		want  error // if not nil
	}{
		{name: "the next", text: message("e", 8, s.of(0, 8))},
		{name: "the next two", text: "[" + message("e", 8, s.of(0, 8)) + "," + message("e", 9, s.of(0, 9)) + "]"},
		{name: "one again", text: message("e", 7, s.of(0, 7)), want: errOrder},
		{name: "the next again", text: "[" + message("e", 8, s.of(0, 8)) + "," + message("e", 8, s.of(0, 8)) + "]", want: errOrder},
		{name: "the next but one", text: message("e", 9, s.of(0, 9)), want: errOrder},
		{name: "of another epoch", text: message("f", 8, s.of(0, 8)), want: errOrder},
		{name: "with another's text", text: message("e", 8, s.of(0, 9)), want: errOrder},
		{name: "damaged", text: message("e", 8, []byte(`"publication 0"`)), want: errStamp},
		{name: "empty", text: message("e", 8, []byte(`""`)), want: errStamp},
		{name: "an error", text: `{"id":1,"error":{"code":"x"}}`, wrong: true},
		{name: "an end", text: `{"ended":{"code":"x"}}`, wrong: true},
		{name: "no JSON", text: `{"message":`, wrong: true},
	} {
		p := place{"e", 7}
		all, err := pushes([]byte(c.text))
		for _, one := range all {
			if err == nil {
				err = p.follow(one.Message.place, one.Message.Data, s)
			}
		}
		if wrong := c.wrong || c.want != nil; (err != nil) != wrong || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
}

func TestPlaceAndGaps(t *testing.T) {
	for _, c := range []struct {
		gap   gap
		right bool
	}{
		{gap{place{"e", 7}, place{"e", 9}, 2}, true},
		{gap{place{"e", 7}, place{"e", 9}, 1}, false},
		{gap{place{"e", 7}, place{"e", 9}, -1}, false},
		{gap{place{"e", 6}, place{"e", 9}, 3}, false},
		{gap{place{"e", 8}, place{"e", 9}, 1}, false},
		{gap{place{"e", 7}, place{"e", 7}, 0}, false},
		{gap{place{"e", 7}, place{"f", 9}, 2}, false},
	} {
		p := place{"e", 7}
		if err := p.pass(c.gap); (err == nil) != c.right || c.right && p != c.gap.To {
			t.Errorf("%+v: at %v, error %v", c.gap, p, err)
		}
	}
}
