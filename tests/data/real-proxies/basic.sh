# Tells squid who is known.
while read -r user password; do
    if [ "$user $password" = "ada s3cret" ]; then echo OK; else echo ERR; fi
done
