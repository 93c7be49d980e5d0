from django.contrib import admin
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import path

from board import views

urlpatterns = [
    path("", views.index),
    path("count/", views.count),
    path("wait/", views.wait),
    path("chat/", views.chat),
    path("admin/", admin.site.urls),
]
urlpatterns += staticfiles_urlpatterns()  # with DEBUG only: otherwise gale serves them (--static)
