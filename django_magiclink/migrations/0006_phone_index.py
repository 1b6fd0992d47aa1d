from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_magiclink', '0005_tallies'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name='phonenumber',
            index=models.Index(fields=['number'], name='magiclink_phone_number'),
        ),
    ]
