# More than a pipe holds: it has not ended when its first bytes are read.
printf 'Content-Type: text/x-packed\r\nContent-Encoding: gzip\r\n\r\n'
gzip -c ../data.bin
