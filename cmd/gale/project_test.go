package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write makes a file and its folders.
func write(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o700); err != nil {
		t.Fatal(err)
	}
	file(t, folder, name, text)
}

const managePy = "#!/usr/bin/env python3\nimport os\ndef main():\n    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site_.settings')\n"

func TestFindProject(t *testing.T) {
	for name, c := range map[string]struct {
		files   map[string]string
		app     string // empty: there is none
		factory bool
		what    string
	}{
		"nothing":             {map[string]string{"notes.txt": "app = 1"}, "", false, ""},
		"a module without":    {map[string]string{"app.py": "import os\nprint('app = ')\n"}, "", false, ""},
		"django":              {map[string]string{"manage.py": managePy, "site_/settings.py": "WSGI_APPLICATION = 'site_.wsgi.application'", "site_/wsgi.py": "", "site_/asgi.py": ""}, "site_.wsgi:application", false, "a Django project with the settings site_.settings"},
		"django with asgi":    {map[string]string{"manage.py": managePy, "site_/settings.py": "ASGI_APPLICATION = 'site_.asgi.application'", "site_/wsgi.py": "", "site_/asgi.py": ""}, "site_.asgi:application", false, "Django"},
		"django, asgi alone":  {map[string]string{"manage.py": managePy, "site_/settings.py": "", "site_/asgi.py": ""}, "site_.asgi:application", false, "Django"},
		"django, many":        {map[string]string{"manage.py": strings.Replace(managePy, "site_.settings", "site_.settings.production", 1), "site_/settings/production.py": "", "site_/wsgi.py": ""}, "site_.wsgi:application", false, "Django"},
		"django, a package":   {map[string]string{"manage.py": managePy, "site_/settings/__init__.py": "", "site_/wsgi.py": ""}, "site_.wsgi:application", false, "Django"},
		"flask":               {map[string]string{"app.py": "from flask import Flask\nserver = Flask(__name__)\n"}, "app:server", false, "an application of Flask in app.py"},
		"flask with a prefix": {map[string]string{"wsgi.py": "import flask\napp = flask.Flask(__name__)\n"}, "wsgi:app", false, "Flask"},
		"fastapi, typed":      {map[string]string{"main.py": "from fastapi import FastAPI\napi: FastAPI = FastAPI()\n"}, "main:api", false, "FastAPI"},
		"plain asgi":          {map[string]string{"asgi.py": "async def app(scope, receive, send):\n    pass\n"}, "asgi:app", false, "the module asgi.py"},
		"plain wsgi":          {map[string]string{"wsgi.py": "def application(environ, start_response):\n    pass\n"}, "wsgi:application", false, "the module wsgi.py"},
		"a factory":           {map[string]string{"app.py": "def create_app():\n    return 1\n"}, "app:create_app", true, "the module app.py"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			for name, text := range c.files {
				write(t, folder, name, text)
			}
			p, ok := findProject(folder)
			if ok != (c.app != "") || p.app != c.app || p.factory != c.factory || !strings.Contains(p.what, c.what) {
				t.Errorf("%+v, %v", p, ok)
			}
			got, err := findTarget(folder, false, ".")
			if want := map[bool]kind{true: kindPython, false: kindStatic}[c.app != ""]; err != nil || got.kind != want {
				t.Errorf("as a target: %+v, %v; want %s", got, err, want)
			}
			write(t, folder, "index.html", "<p>")
			if got, err := findTarget(folder, false, "."); err != nil || got.kind != kindStatic {
				t.Errorf("with a page: %+v, %v", got, err)
			}
		})
	}
}

func TestFindPython(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "app.py", "")
	write(t, dir, "package/__init__.py", "")
	write(t, dir, "package/web.py", "")
	write(t, dir, "my-app.py", "")
	for name, want := range map[string]target{
		"app:app":                 {kind: kindPython, path: dir, app: "app:app"},
		"a.b_1.c:d.e":             {kind: kindPython, path: dir, app: "a.b_1.c:d.e"},
		"app:create_app()":        {kind: kindPython, path: dir, app: "app:create_app", factory: true},
		"app":                     {kind: kindPython, path: dir, app: "app"},
		"app.py":                  {kind: kindPython, path: dir, app: "app"},
		"package":                 {kind: kindPython, path: dir, app: "package"},
		"package.web":             {kind: kindPython, path: dir, app: "package.web"},
		"package/web.py":          {kind: kindPython, path: filepath.Join(dir, "package"), app: "web"},
		"nothing":                 {},
		"app:":                    {},
		":app":                    {},
		"app:a b":                 {},
		"app:app(1)":              {},
		"app:__import__('os').x":  {},
		"my-app.py":               {},
		"../app:app":              {},
		"1app:app":                {},
		"app:app:app":             {},
		"http://127.0.0.1:9000/x": {},
	} {
		got, ok := findPython(name, dir)
		if ok != (want.kind != "") || got != want {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
}
