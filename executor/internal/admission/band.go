package admission

// maxFresh is how many clients that had nothing waiting are served in a row
// before one that has waited for its further turn: a flood of new names starves
// nobody.
const maxFresh = 8

// band is the jobs of one priority. Each client with a job here is in one of two
// rings: fresh since it appeared, served from its first turn on. A client whose
// last job was taken stays in served until its turn comes, so that it gains
// nothing by coming back.
type band struct {
	waiting   int
	active    int // clients with a job waiting
	impatient list
	delays    delays
	clients   map[string]*client
	fresh     ring
	served    ring
	inARow    int     // turns of fresh since one of served
	spare     *client // to be used again
}

// client is the jobs of one client in a band.
type client struct {
	key        string
	items      list
	deficit    int // turns it has not used
	in         *ring
	prev, next *client
}

// ring is clients in the order of their turns.
type ring struct{ head, tail *client }

func (r *ring) push(c *client) {
	c.in, c.prev, c.next = r, r.tail, nil
	if r.tail == nil {
		r.head = c
	} else {
		r.tail.next = c
	}
	r.tail = c
}

func (r *ring) remove(c *client) {
	if c.prev == nil {
		r.head = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		r.tail = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.in, c.prev, c.next = nil, nil, nil
}

func (b *band) push(it *Item) {
	c := b.clients[it.Client]
	if c == nil {
		c = b.appear(it.Client)
	}
	if c.items.n == 0 {
		b.active++
	}
	it.from = c
	c.items.push(it, ofClient)
	if !it.Patient {
		b.impatient.push(it, ofImpatient)
	}
	b.waiting++
}

func (b *band) appear(key string) *client {
	c := b.spare
	if c == nil {
		c = &client{}
	}
	b.spare = nil
	c.key, c.deficit = key, 1
	if b.clients == nil {
		b.clients = make(map[string]*client)
	}
	b.clients[key] = c
	b.fresh.push(c)
	return c
}

// remove takes an item out, wherever it stands.
func (b *band) remove(it *Item) {
	c := it.from
	it.from = nil
	c.items.remove(it, ofClient)
	if !it.Patient {
		b.impatient.remove(it, ofImpatient)
	}
	b.waiting--
	if c.items.n > 0 {
		return
	}
	b.active--
	switch {
	case b.waiting == 0: // nobody waits for a turn
		b.clear()
	case c.in == &b.fresh:
		b.drop(c)
	}
}

// clear forgets all clients. What has served many is left to the collector.
func (b *band) clear() {
	if len(b.clients) > 64 {
		b.clients = nil
	}
	for _, r := range []*ring{&b.fresh, &b.served} {
		for r.head != nil {
			b.drop(r.head)
		}
	}
	b.inARow = 0
}

// next returns the item whose turn it is, and leaves it where it is: to call it
// again gives the same one.
func (b *band) next(turns func(*Item) int) *Item {
	for {
		c := b.turn()
		if c.items.n == 0 {
			b.drop(c)
			continue
		}
		it := b.first(c)
		if c.deficit >= turns(it) || b.active == 1 {
			return it
		}
		c.deficit++
		c.in.remove(c)
		b.served.push(c)
	}
}

// turn returns the client whose turn it is.
func (b *band) turn() *client {
	if b.fresh.head != nil && (b.inARow < maxFresh || b.served.head == nil) {
		return b.fresh.head
	}
	return b.served.head
}

func (b *band) drop(c *client) {
	c.in.remove(c)
	delete(b.clients, c.key)
	c.key, b.spare = "", c
}

// first returns the item of a client that runs before its others.
func (b *band) first(c *client) *Item {
	if b.delays.standing {
		return c.items.tail
	}
	return c.items.head
}

// take takes out what next returned.
func (b *band) take(it *Item, turns int) {
	c := it.from
	c.deficit = max(0, c.deficit-turns)
	if c.in == &b.fresh {
		b.inARow++
		c.in.remove(c)
		b.served.push(c)
	} else {
		b.inARow = 0
	}
	b.remove(it)
}

// ahead estimates how many jobs of the band start before it. It is exact while
// each job takes one turn and nobody comes or leaves.
func (b *band) ahead(it *Item) (n int) {
	rank := 1
	for other := it; ; rank++ {
		if b.delays.standing {
			other = other.links[ofClient].next
		} else {
			other = other.links[ofClient].prev
		}
		if other == nil {
			break
		}
	}
	before := true // clients that have their turn before this one
	for _, r := range []*ring{&b.fresh, &b.served} {
		for c := r.head; c != nil; c = c.next {
			switch {
			case c == it.from:
				before = false
				n += rank - 1
			case before:
				n += min(c.items.n, rank)
			default:
				n += min(c.items.n, rank-1)
			}
		}
	}
	return n
}
