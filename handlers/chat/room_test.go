package chat

import "testing"

// A member whose session has moved to another connection, and whose loop has
// not heard of it yet, has no voice and no seat to give up.
func TestReplacedMemberHasNoVoice(t *testing.T) {
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	r := c.rooms["lobby"]
	var members [2]*member
	for i := range members {
		members[i] = &member{chat: c, id: "same", name: "Ada"}
		members[i].out.hold() // nothing is posted
		if err := r.join(members[i], "", 0); err != nil {
			t.Fatal(err)
		}
	}
	old, current := members[0], members[1]
	if err := r.publish(old, "1", "ghost"); err == nil {
		t.Error("the old connection published")
	}
	old.name = "Ghost"
	r.rename(old)
	if empty := r.leave(old); empty || r.seats["same"].member != current || r.seats["same"].name != "Ada" {
		t.Errorf("the old connection has changed the seat: %+v", r.seats)
	}
	if err := r.publish(current, "1", "me"); err != nil {
		t.Error(err)
	}
}

// The outbox does not grow with what has been taken from it.
func TestOutboxReusesItsRoom(t *testing.T) {
	var o outbox
	o.hold()
	frame := []byte("x")
	o.put(frame, 100)
	for range 1000 {
		o.put(frame, 100)
		if _, ok := o.take(); !ok {
			t.Fatal("nothing to take")
		}
	}
	if cap(o.frames) > 8 {
		t.Errorf("room for %d frames, where 2 waited at most", cap(o.frames))
	}
	if _, ok := o.take(); !ok {
		t.Error("a frame is lost")
	}
	if _, ok := o.take(); ok {
		t.Error("a frame too many")
	}
}

// The loop is asked once until it has found the outbox empty; an ask in vain
// does not count.
func TestOutboxAsksOnce(t *testing.T) {
	posts, stopped := 0, true
	o := outbox{post: func() bool { posts++; return !stopped }}
	o.put([]byte("1"), 100)
	stopped = false
	o.put([]byte("2"), 100)
	o.put([]byte("3"), 100)
	if posts != 2 {
		t.Errorf("asked %d times, want once in vain and once more", posts)
	}
	for range 4 {
		o.take()
	}
	o.put([]byte("4"), 100)
	if posts != 3 {
		t.Errorf("asked %d times after it was empty", posts)
	}
}
