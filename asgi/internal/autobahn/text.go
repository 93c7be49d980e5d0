package autobahn

// greek is 11 bytes; its second letter is U+1F79, of three.
const greek = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"

// texts is groups 6.1 to 6.3, text over fragments.
func texts() []Case {
	const hello = "Hello-µ@ßöäüàá-UTF-8!!"
	const surrogate = greek + "\xed\xa0\x80" + "edited"
	return []Case{
		clean("6.1.1", []Frame{Text("")}, Reply{OpText, ""}),
		clean("6.1.2", []Frame{First(""), Middle(""), Last("")}, Reply{OpText, ""}),
		clean("6.1.3", []Frame{First(""), Middle("middle frame payload"), Last("")}, Reply{OpText, "middle frame payload"}),
		clean("6.2.1", []Frame{Text(hello)}, Reply{OpText, hello}),
		clean("6.2.2", []Frame{First("Hello-µ@ßöä"), Last("üàá-UTF-8!!")}, Reply{OpText, hello}),
		clean("6.2.3", Fragments(OpText, hello, 1), Reply{OpText, hello}),
		clean("6.2.4", Fragments(OpText, greek, 1), Reply{OpText, greek}),
		broken("6.3.1", TextNotUTF8, []Frame{Text(surrogate)}),
		broken("6.3.2", TextNotUTF8, Fragments(OpText, surrogate, 1)),
	}
}

// failFast is group 6.4. The text is U+110000 after five letters; its second
// byte, number 13 of the payload, is the first that cannot be. The suite waits
// before and after it, for a frame and for a part of a frame.
func failFast() []Case {
	const payload = greek + "\xf4\x90\x80\x80" + "edited"
	const good = 12 // bytes of payload
	const head = 6  // bytes of a short frame's header
	failing := func(id string, headers int, frames ...Frame) Case {
		c := broken(id, TextNotUTF8, frames)
		c.FailsAt = headers*head + good + 1
		return c
	}
	return []Case{
		failing("6.4.1", 2, First(payload[:11]), Middle(payload[11:15]), Last(payload[15:])),
		failing("6.4.2", 2, First(payload[:12]), Middle(payload[12:13]), Last(payload[13:])),
		failing("6.4.3-6.4.4", 1, Text(payload)),
	}
}
