package admission

// expiries is a binary heap of the items that have an expiry, the next first.
type expiries []*Item

func (h expiries) less(i, j int) bool { return h[i].Expires.Before(h[j].Expires) }

func (h expiries) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapAt, h[j].heapAt = i+1, j+1
}

func (h *expiries) push(it *Item) {
	*h = append(*h, it)
	it.heapAt = len(*h)
	h.up(len(*h) - 1)
}

func (h *expiries) remove(it *Item) {
	i, last := it.heapAt-1, len(*h)-1
	if i != last {
		h.swap(i, last)
	}
	(*h)[last] = nil
	*h = (*h)[:last]
	if i != last {
		h.down(i)
		h.up(i)
	}
	it.heapAt = 0
}

func (h expiries) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(i, parent) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h expiries) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h.less(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}
