"""Where mouth, eyes, nose and jaw are in each frame: by the small network, or by MediaPipe's."""
