package autobahn

import "fmt"

// closes is group 7 without the codes.
func closes() []Case {
	const hello = "Hello World!"
	end := Closing(normal, "")
	// ended is a case whose client goes on after its close.
	ended := func(id string, want []Reply, frames ...Frame) Case {
		return Case{ID: id, Frames: frames, Want: want, Close: normal}
	}
	empty := ended("7.3.1", nil, Frame{Op: OpClose})
	empty.Close = 0
	large := Repeat(limitsText, 256<<10)
	return []Case{
		clean("7.1.1", []Frame{Text(hello)}, Reply{OpText, hello}),
		ended("7.1.2", nil, end, Frame{Op: OpClose}),
		ended("7.1.3", nil, end, Ping("")),
		ended("7.1.4", nil, end, Text(hello)),
		ended("7.1.5", nil, First("fragment1"), end, Last("fragment2")),
		ended("7.1.6", []Reply{{OpText, large}, {OpText, hello}}, Text(large), Text(hello), end, Ping("")),
		empty,
		broken("7.3.2", CloseTooShort, []Frame{{Op: OpClose, Payload: "a"}}),
		ended("7.3.3", nil, end),
		ended("7.3.4", nil, Closing(normal, hello)),
		ended("7.3.5", nil, Closing(normal, Repeat("*", 123))),
		broken("7.3.6", ControlTooLong, []Frame{Closing(normal, Repeat("*", 124))}),
		broken("7.5.1", CloseReasonNotUTF8, []Frame{Closing(normal, greek+"\xed\xa0\x80edited")}),
		broken("7.13.1", CloseCodeReserved, []Frame{Closing(5000, "")}),
		broken("7.13.2", CloseCodeReserved, []Frame{Closing(65535, "")}),
	}
}

// closeCodes is groups 7.7 and 7.9.
func closeCodes() (cases []Case) {
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		cases = append(cases, Case{ID: fmt.Sprintf("7.7.%d", i+1), Frames: []Frame{Closing(code, "")}, Close: code})
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		cases = append(cases, broken(fmt.Sprintf("7.9.%d", i+1), CloseCodeReserved, []Frame{Closing(code, "")}))
	}
	return cases
}
