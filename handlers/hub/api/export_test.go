package api

// Routes lists what a server serves.
func Routes() []string {
	var all []string
	for path, r := range routes {
		if r.get != nil {
			all = append(all, "GET "+path)
		}
		if r.post != nil {
			all = append(all, "POST "+path)
		}
	}
	return all
}
