package python

import (
	"context"
	"slices"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/python/internal/wire"
)

const (
	// standardLimit is how many publications history returns if the call does not say.
	standardLimit = 100
	// eventTag is the tag that has the name of a publication's event.
	eventTag = "event"
	// publicationOverhead is about what a publication takes in an answer beside its data.
	publicationOverhead = 1 << 10
)

// publish is the method publish: a channel, data and options.
func publish(h *hub.Hub, args *arguments) (any, error) {
	list := args.list(args.payload, 3)
	p := publication(args, list)
	p.Channel = args.text(list[0])
	if args.err != nil {
		return nil, nil
	}
	receipt, err := h.PublishOne(p)
	return map[string]any{"offset": int64(receipt.Offset), "epoch": receipt.Epoch, "duplicate": receipt.Duplicate}, err
}

// publication is what all channels get.
func publication(args *arguments, list []any) hub.Publication {
	options := args.dict(list[2])
	p := hub.Publication{Data: args.bytes(list[1]), TTL: args.seconds(options, "ttl")}
	p.Key = args.option(options, "idempotency_key")
	if event := args.option(options, "event"); event != "" {
		p.Tags = map[string]string{eventTag: event}
	}
	return p
}

// broadcast is the method broadcast: as publish, with several channels.
func broadcast(h *hub.Hub, args *arguments) (any, error) {
	list := args.list(args.payload, 3)
	channels, p := args.strings(list[0]), publication(args, list)
	if args.err != nil {
		return nil, nil
	}
	batch := make([]hub.Publication, len(channels))
	for i, channel := range channels {
		batch[i] = p
		batch[i].Channel = channel
	}
	results, _ := await(context.Background(), func(settle func([]hub.Result, error)) {
		h.Publish(batch, func(r []hub.Result) { settle(r, nil) })
	})
	answers := make([]any, len(results))
	for i, r := range results {
		answer := map[string]any{"channel": channels[i]}
		if r.Err != nil {
			kind, message := refusal(r.Err)
			answer["error"] = wire.Tuple{kind, message}
		} else {
			answer["offset"], answer["epoch"], answer["duplicate"] = int64(r.Offset), r.Epoch, r.Duplicate
		}
		answers[i] = answer
	}
	return answers, nil
}

// history is the method history: a channel and options.
func history(ctx context.Context, h *hub.Hub, args *arguments) (any, error) {
	list := args.list(args.payload, 2)
	channel, options := args.text(list[0]), args.dict(list[1])
	var after hub.Position
	if since := options["since"]; since != nil {
		place := args.dict(since)
		after.Epoch, after.Offset = args.text(place["epoch"]), uint64(args.number(place["offset"]))
	}
	limit := hub.Limit{Messages: standardLimit, Bytes: maxValueBytes / 2, Newest: args.flag(options, "reverse")}
	if n := options["limit"]; n != nil {
		limit.Messages = int(args.number(n))
	}
	if args.err != nil {
		return nil, nil
	}
	limit.Messages = min(limit.Messages, maxValueBytes/2/publicationOverhead)
	read, err := await(ctx, func(settle func(hub.History, error)) { h.History(channel, after, limit, settle) })
	if err != nil {
		return nil, err
	}
	publications := make([]any, len(read.Messages))
	for i, m := range read.Messages {
		publications[i] = map[string]any{
			"epoch": m.Epoch, "offset": int64(m.Offset), "time": float64(m.Time.UnixMicro()) / 1e6, "data": m.Data,
			"event": m.Tags[eventTag], "publisher": m.Publisher,
		}
	}
	if limit.Newest {
		slices.Reverse(publications)
	}
	return map[string]any{
		"epoch": read.Top.Epoch, "offset": int64(read.Top.Offset), "missing": read.Missing, "publications": publications,
	}, nil
}

// presence is the method presence: a channel. It returns as many members as fit.
func presence(ctx context.Context, h *hub.Hub, args *arguments) (any, error) {
	channel := args.text(args.list(args.payload, 1)[0])
	switch {
	case args.err != nil:
		return nil, nil
	case hub.ValidChannel(channel) && !h.Options(channel).Presence:
		return nil, badCall("the channel does not keep who is there")
	}
	members, err := await(ctx, func(settle func([]hub.Member, error)) {
		h.Members(channel, maxMembers, func(members []hub.Member, _ int, err error) { settle(members, err) })
	})
	present := make(map[string]any, len(members))
	size := 0
	for _, m := range members {
		if size += len(m.Client) + len(m.Info) + 64; size > maxValueBytes {
			break
		}
		present[m.Client] = append([]byte{}, m.Info...)
	}
	return present, err
}

// maxMembers bounds the members of an answer.
const maxMembers = 10_000
