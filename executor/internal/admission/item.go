package admission

import "time"

// Reason says why an item was refused or dropped.
type Reason uint8

// Reasons. Expired and Standing are those of items that were accepted.
const (
	Accepted Reason = iota
	Jobs            // as many jobs as may wait are waiting
	Bytes           // its bytes do not fit beside those held
	Client          // its client has as many jobs as one may have
	TooLarge        // its bytes would never fit
	Expired         // it waited until Item.Expires
	Standing        // it waited too long in a queue that stands
)

// Bands, the highest first.
const (
	High = iota
	Normal
	Low
	bands
)

// Item is one job as the queue sees it. The owner sets the exported fields before
// it offers the item, and leaves them alone until the item has left the queue.
type Item struct {
	Value   any       // the owner's
	Band    int       // High, Normal or Low
	Client  string    // who takes turns; "" is a client too, but one without a cap
	Cost    int64     // bytes held from Offer until Done or Remove
	RunCost int64     // bytes held from Take until Done
	Expires time.Time // when it may no longer wait; zero: never
	Patient bool      // it may wait until Expires, whether the queue stands or not

	Reason Reason // set when the queue drops the item

	arrived time.Time
	since   time.Time // when it arrived, or was promoted
	heapAt  int       // index in the heap of expiries, plus one; 0 is absent
	from    *client   // whose item it is while it waits
	links   [lists]struct{ prev, next *Item }
}

// Arrived returns when the item was offered.
func (it *Item) Arrived() time.Time { return it.arrived }

// Waiting reports whether the item is in the queue.
func (it *Item) Waiting() bool { return it.from != nil }

// The lists an item may be in at the same time.
const (
	ofClient    = iota // one client's items of a band
	ofImpatient        // a band's items that are not patient
	ofArrival          // all items of the queue
	lists
)

// list is a list of items in order of arrival, linked through the items.
type list struct {
	head, tail *Item
	n          int
}

func (l *list) push(it *Item, which int) {
	it.links[which].prev = l.tail
	if l.tail == nil {
		l.head = it
	} else {
		l.tail.links[which].next = it
	}
	l.tail = it
	l.n++
}

func (l *list) remove(it *Item, which int) {
	at := &it.links[which]
	if at.prev == nil {
		l.head = at.next
	} else {
		at.prev.links[which].next = at.next
	}
	if at.next == nil {
		l.tail = at.prev
	} else {
		at.next.links[which].prev = at.prev
	}
	at.prev, at.next = nil, nil
	l.n--
}
