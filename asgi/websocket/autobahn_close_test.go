package websocket

import (
	"fmt"
	"testing"
)

// TestAutobahnClose: group 7 without the codes.
func TestAutobahnClose(t *testing.T) {
	const hello = "Hello World!"
	normal := closing(CloseNormal, "")
	ended := func(id string, want []reply, frames ...sent) vector {
		return vector{id: id, in: stream(frames...), want: want}
	}
	just := func(r ...reply) []reply { return r }
	large := repeat("BAsd7&jh23", 256<<10)
	runVectors(t, []vector{
		clean("7.1.1", []sent{text(hello)}, reply{OpText, hello}),
		ended("7.1.2", just(closeReply(CloseNormal, "")), normal, sent{op: OpClose}),
		ended("7.1.3", just(closeReply(CloseNormal, "")), normal, ping("")),
		ended("7.1.4", just(closeReply(CloseNormal, "")), normal, text(hello)),
		ended("7.1.5", just(closeReply(CloseNormal, "")), first("fragment1"), normal, last("fragment2")),
		ended("7.1.6", just(reply{OpText, large}, reply{OpText, hello}, closeReply(CloseNormal, "")),
			text(large), text(hello), normal, ping("")),
		ended("7.3.1", just(reply{OpClose, ""}), sent{op: OpClose}),
		broken("7.3.2", []sent{{op: OpClose, payload: "a"}}, errCloseTooShort),
		ended("7.3.3", just(closeReply(CloseNormal, "")), normal),
		ended("7.3.4", just(closeReply(CloseNormal, "")), closing(CloseNormal, hello)),
		ended("7.3.5", just(closeReply(CloseNormal, "")), closing(CloseNormal, repeat("*", 123))),
		broken("7.3.6", []sent{closing(CloseNormal, repeat("*", 124))}, errControlTooLong),
		broken("7.5.1", []sent{closing(CloseNormal, greek+"\xed\xa0\x80edited")}, errCloseReason),
		broken("7.13.1", []sent{closing(5000, "")}, errCloseCode),
		broken("7.13.2", []sent{closing(65535, "")}, errCloseCode),
	})
}

// TestAutobahnCloseCodes: groups 7.7 and 7.9.
func TestAutobahnCloseCodes(t *testing.T) {
	valid := []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999}
	for i, code := range valid {
		v := vector{id: fmt.Sprintf("7.7.%d", i+1), in: stream(closing(code, "")), want: []reply{closeReply(code, "")}}
		t.Run(v.id, v.run)
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		v := broken(fmt.Sprintf("7.9.%d", i+1), []sent{closing(code, "")}, errCloseCode)
		t.Run(v.id, v.run)
	}
}
