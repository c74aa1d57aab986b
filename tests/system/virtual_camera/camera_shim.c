/* Preloaded into a process that opens libcamera's `virtual` camera on a machine without a camera.
 *
 * Memory: libcamera and picamera2 take their buffers from a dma-heap, which containers and most
 * servers lack. Here /dev/dma_heap/... is an anonymous file, and so is each buffer from it; the
 * virtual camera fills buffers by the processor, so any memory that can be mapped will do.
 *
 * Pace: the virtual camera gives frames as fast as they are taken. libcamera maps each buffer that
 * it is about to fill, in the camera's own thread; that is where this waits until the next frame
 * is due (CAMERA_FPS; absolute deadlines, so that the rate does not drift), and for as long as the
 * file named by CAMERA_STALL exists: a camera that has stalled. CAMERA_MAPS says how many
 * mappings make a frame: one for each plane of each stream.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define HEAPS "/dev/dma_heap/"
#define NEXT(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

/* libcamera 0.4.0 never sets the status of the virtual camera's buffers: it is what the memory held
 * before, and picamera2 drops each frame whose status is not 0, success. So C++ gets memory that
 * holds nothing (this is its operator new).
 */
void *cleared(size_t) __asm__("_Znwm");

void *cleared(size_t size)
{
	void *memory = calloc(1, size ? size : 1);

	if (!memory)
		abort();
	return memory;
}

static int anonymous(const char *name, off_t length)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, length) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int open64(const char *path, int flags, ...)
{
	mode_t mode = 0;

	if (strncmp(path, HEAPS, strlen(HEAPS)) == 0)
		return anonymous("virtual-heap", 0);
	if (__OPEN_NEEDS_MODE(flags)) {
		va_list rest;

		va_start(rest, flags);
		mode = va_arg(rest, mode_t);
		va_end(rest);
	}
	return NEXT(open64)(path, flags, mode);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list rest;

	va_start(rest, request);
	void *argument = va_arg(rest, void *);
	va_end(rest);

	/* No other device knows these, so it does not matter whose descriptor it is. */
	if ((unsigned)request == (unsigned)DMA_HEAP_IOCTL_ALLOC) {
		struct dma_heap_allocation_data *wanted = argument;
		int buffer = anonymous("virtual-buffer", (off_t)wanted->len);

		if (buffer < 0)
			return -1;
		wanted->fd = (unsigned)buffer;
		return 0;
	}
	if (_IOC_TYPE(request) == DMA_BUF_BASE && _IOC_NR(request) <= 1)
		return 0; /* DMA_BUF_IOCTL_SYNC, DMA_BUF_SET_NAME */
	return NEXT(ioctl)(fd, request, argument);
}

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void wait_for(double seconds)
{
	struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

	while (seconds > 0 && nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

/* Called by one thread only: the camera's. */
static void next_frame(void)
{
	static int maps, mapped;
	static double period, due;
	static const char *stall;

	if (maps == 0) {
		const char *fps = getenv("CAMERA_FPS"), *count = getenv("CAMERA_MAPS");

		maps = count ? atoi(count) : 1;
		period = fps ? 1 / atof(fps) : 0;
		stall = getenv("CAMERA_STALL");
	}
	if (mapped++ % maps != 0)
		return;
	while (stall && access(stall, F_OK) == 0)
		wait_for(0.02);
	due += period;
	if (due < now())
		due = now(); /* the first frame, or one asked for too late */
	wait_for(due - now());
}

void *mmap64(void *where, size_t length, int protection, int flags, int fd, off64_t offset)
{
	Dl_info caller;

	if (fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE) &&
	    dladdr(__builtin_return_address(0), &caller) && caller.dli_fname &&
	    strstr(caller.dli_fname, "/libcamera"))
		next_frame();
	return NEXT(mmap64)(where, length, protection, flags, fd, offset);
}
