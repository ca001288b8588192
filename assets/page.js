// What a page can do more where scripts run. Without them every link and form works as well.
