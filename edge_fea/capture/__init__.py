"""Where frames come from: Pi camera, webcam, video file, picture folder, demo."""
