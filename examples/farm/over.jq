# What is wrong, of what apr-diff found.
(.tensors | map(select(.status | IN("same", "within", "unsaid") | not))) as $bad
| if $bad == [] then "the models contradict each other"
  else "\($bad | length) tensors, the first: \($bad[0].name) (\($bad[0].status), NMSE \($bad[0].nmse))" end
