package images_test

import (
	"context"
	"fmt"
	"log"
	"net/url"
	"os"
	"time"

	"github.com/gale-server/gale/handlers/images"
)

// A thumbnail in three steps. A server takes the first two where the request comes
// in, and the third in a job that is admitted by plan.Cost.
func Example() {
	data, err := os.ReadFile("testdata/exif-6.jpg") // lies on its side
	if err != nil {
		log.Fatal(err)
	}
	request, err := images.ParseQuery(url.Values{"width": {"40"}, "height": {"40"}, "fit": {"cover"}, "format": {"png"}})
	if err != nil {
		log.Fatal(err)
	}
	limits := images.Limits{MaxBytes: 5 << 20}

	info, err := images.Inspect(data, limits)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Format, info.Width, info.Height, "orientation", info.Orientation)

	plan, err := request.Plan(info, limits)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(plan.Format, plan.Width, plan.Height, plan.Cost < 4<<20)

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	result, err := images.Transform(ctx, data, request, limits, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.ContentType, result.Width, result.Height)
	// Output:
	// jpeg 61 43 orientation 6
	// png 40 40 true
	// image/png 40 40
}

// What a client hears of a file that it should not have sent.
func ExampleStatusOf() {
	for _, file := range []string{"#!/bin/sh\n", "\x89PNG\r\n\x1a\n and no more"} {
		_, err := images.Inspect([]byte(file), images.Limits{})
		fmt.Println(images.StatusOf(err), err)
	}
	_, err := images.ParseQuery(url.Values{"rotate": {"45"}})
	fmt.Println(images.StatusOf(err), err)
	// Output:
	// 415 images: the file is no JPEG, PNG, GIF or WebP picture
	// 422 images: the png picture is damaged or cut short
	// 400 images: rotate: want 0, 90, 180 or 270
}
