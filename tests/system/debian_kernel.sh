#!/usr/bin/env bash
# Runs a command under Debian's own kernel, in an emulated machine whose files are those of this one.
#
#   tests/system/debian_kernel.sh FOLDER COMMAND...
#
# For file systems and devices that the kernel here does not have, such as vfat. FOLDER keeps the
# kernel (70 MB, fetched by apt) from one time to the next. The machine sees every file of this one
# through 9p, read-only; what it writes is in its memory and gone with it. No network. Needs root,
# and Debian's qemu-system-x86, busybox-static, cpio and kmod. Emulated, unless /dev/kvm works and
# KVM=1 asks for it: everything takes about ten times as long as here.
set -euo pipefail
folder=$1
shift
mkdir -p "$folder"
cd "$folder"

if [ ! -e root/boot ]; then
  package=$(apt-cache depends linux-image-amd64 | awk '/Depends:/ {print $2; exit}')
  apt-get download "$package"
  dpkg-deb --extract "$package"_*.deb root.new
  rm "$package"_*.deb
  mv root.new root
fi
kernel=$(basename root/boot/vmlinuz-*)
version=${kernel#vmlinuz-}
depmod --basedir root "$version"

# The first file system: busybox, the modules, and a script that goes over to this machine's files.
modules='virtio_pci virtio_rng 9pnet_virtio 9p overlay loop dm-mod ext4 vfat exfat
  nls_cp437 nls_ascii nls_iso8859-1 nls_utf8'
rm -rf first
mkdir -p first/bin first/proc first/sys first/dev first/lower first/upper first/new first/modules
cp "$(command -v busybox)" first/bin/busybox
for module in $modules; do
  modprobe --dirname root --set-version "$version" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ {print $2}' > modules.txt
place=0
while read -r path; do
  place=$((place + 1))
  cp "$path" "first/modules/$(printf '%03d' $place).ko"
done < modules.txt
printf '%s\n' "$OLDPWD" > first/where
printf '%q ' "$@" > first/command
# As process 1 of the machine itself, not in a chroot: tests enter name spaces from there.
cat > first/go <<'GO'
export HOME=/root TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
cd "$(cat /run/where)"
(eval "$(cat /run/command)")
echo "ended with $?"
/run/busybox poweroff -f
GO
cat > first/init <<'INIT'
#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for each in /modules/*.ko; do insmod "$each" || echo "cannot load $each"; done
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose host /lower
mount -t tmpfs -o mode=0755 memory /upper
mkdir /upper/changes /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/changes,workdir=/upper/work over /new
for each in proc sys dev; do mount --move /$each /new/$each; done
mount -t tmpfs -o mode=1777 memory /new/tmp
mount -t tmpfs -o mode=0755 memory /new/run
mkdir -p /new/dev/pts /new/dev/shm /new/sys/fs/cgroup
mount -t devpts pts /new/dev/pts
mount -t tmpfs -o mode=1777 memory /new/dev/shm
ip link set lo up
cp /command /where /go /bin/busybox /new/run/
exec switch_root /new /bin/bash /run/go
INIT
chmod +x first/init
(cd first && find . | cpio --quiet --create --format=newc) | gzip -1 > first.gz

accelerate=tcg,thread=multi
cpu=max
if [ "${KVM:-}" = 1 ]; then accelerate=kvm cpu=host; fi
qemu-system-x86_64 -machine q35 -accel "$accelerate" -cpu "$cpu" -smp 2 -m 2048 \
  -nodefaults -no-reboot -display none -serial stdio -nic none -device virtio-rng-pci \
  -kernel "root/boot/$kernel" -initrd first.gz -append 'console=ttyS0 quiet panic=1' \
  -virtfs local,path=/,mount_tag=host,security_model=passthrough,readonly=on,multidevs=remap \
  </dev/null | sed --unbuffered 's,\r$,,' | tee console.txt
code=$(sed -n 's/^ended with //p' console.txt | tail -1)
exit "${code:-1}"
